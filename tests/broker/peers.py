#!/usr/bin/env python3
"""Clients that nobody here wrote, against the embedded broker on loopback sockets.

  peers.py TERN broker    starts the command, takes the first HOST:PORT,... it prints for the bootstrap
                          servers, runs all suites against it and ends it
  peers.py --at SERVERS [TERN]  runs against a cluster that is up already
  peers.py --install      makes a Python environment with the pinned clients (one of them is for
                          tests/kafka/records_peer_check.py), in ${XDG_CACHE_HOME:-~/.cache}/tern/peers

Suites: kcat (librdkafka), kcat and `TERN kafka` reading what the other one has written, kafka-python,
aiokafka, and the Java clients of an old and of a new Kafka; consumer groups of all of them and of
confluent-kafka (group_peers.py), and franz-go's own tests of its groups. What is answered about groups is
compared with what Kafka answers (group_answers.py). One that is not installed is skipped, loudly.
The last line says how many checks passed, failed and were skipped; the exit code is 0 if none failed.
"""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import checks
import group_answers
import group_peers
from checks import check, finish, skip

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "tern/peers"
PYTHON = CACHE / "bin/python"
KAFKA = pathlib.Path(__file__).resolve().parent.parent / "real/kafka.sh"
JAVA = ["2.8.2", "4.4.0"]  # versions of Kafka whose programs are run
# The second line is for amqp_peers.py, the third for the tests that come with AIORMQ's source.
AIORMQ = "aiormq-7.2.4"
PINNED = ["kafka-python==3.0.12", "aiokafka==0.14.0", "confluent-kafka==2.16.1",
          "pika==1.4.4", "aio-pika==10.2.1", AIORMQ.replace("-", "=="),
          "pytest==9.2.0", "pytest-timeout==2.4.0", "aiomisc==18.0.37", "aiomisc-pytest==2.0.0"]
CODECS = ["gzip", "snappy", "lz4", "zstd"]
RUN = "%08x" % random.SystemRandom().getrandbits(32)  # topics of this run: a cluster may serve many


def topic(name):
    return "peers-%s-%s" % (RUN, name)


# ------------------------------------------------------------------------------------------- kcat

def kcat(servers, *args, data=None, timeout=60):
    done = subprocess.run(["kcat", "-b", servers, *args], input=data, capture_output=True, timeout=timeout)
    return done.stdout.decode(), done.returncode, done.stderr.decode()


def kcat_reads(servers, name, *args):
    return kcat(servers, "-C", "-t", topic(name), "-q", "-e", *args)[0]


def kcat_suite(servers):
    out, code, _ = kcat(servers, "-L")
    check("kcat -L names the brokers", code == 0 and "%d brokers" % len(servers.split(",")) in out, out)

    lines = "".join("%d\n" % i for i in range(5000))
    plain = ["-X", "enable.idempotence=true"]
    variants = [("plain", []), ("idempotent", plain), ("acks0", ["-X", "acks=0"])]
    variants += [(codec, plain + ["-z", codec]) for codec in CODECS]
    for name, options in variants:
        _, code, errors = kcat(servers, "-P", "-t", topic(name), *options, data=lines.encode())
        if "not available" in errors or "Unsupported" in errors or "not supported" in errors:
            skip("kcat " + name, "not built into this kcat")
            continue
        if name == "acks0":
            time.sleep(1)  # nothing says when they are in
        check("kcat writes and reads back, " + name,
              code == 0 and kcat_reads(servers, name, "-o", "beginning") == lines, errors)

    tail = kcat_reads(servers, "plain", "-o", "-3")
    check("kcat reads the last three", tail == "4997\n4998\n4999\n", tail)
    middle = kcat_reads(servers, "plain", "-o", "4990", "-c", "2")
    check("kcat reads from an offset", middle == "4990\n4991\n", middle)

    kcat(servers, "-P", "-t", topic("times"), data=b"before\n")
    time.sleep(0.05)
    between = int(time.time() * 1000)
    time.sleep(0.05)
    kcat(servers, "-P", "-t", topic("times"), data=b"after\nlater\n")
    for name, options, expected in [("from a time on", ["-o", "s@%d" % between], "after\nlater\n"),
                                    ("up to a time", ["-o", "beginning", "-o", "e@%d" % between], "before\n")]:
        read = kcat_reads(servers, "times", *options)
        check("kcat reads " + name, read == expected, read)
    out, _, _ = kcat(servers, "-Q", "-t", "%s:0:%d" % (topic("times"), between))
    check("kcat asks for the offset of a time", "offset 1" in out, out)

    kcat(servers, "-P", "-t", topic("parts"), "-K", ":", "-Z", "-H", "a=1", "-H", "b=2",
         data=b"key:value\nkey:\n:value\n")
    form = ["-o", "beginning", "-f", "%k|%K|%s|%S|%h|%o\n"]
    read = kcat_reads(servers, "parts", *form)
    expected = "key|3|value|5|a=1,b=2|0\nkey|3||-1|a=1,b=2|1\n|-1|value|5|a=1,b=2|2\n"
    check("kcat keeps keys, nulls and headers", read == expected, read)

    with tempfile.NamedTemporaryFile() as large:
        large.write(os.urandom(300000).hex().encode())
        large.flush()
        _, code, errors = kcat(servers, "-P", "-t", topic("large"), large.name, large.name)
        read = kcat_reads(servers, "large", "-o", "beginning", "-D", "")
        check("kcat carries large records", code == 0 and len(read) == 1200000, errors)

    many = "".join("%d %s\n" % (i, "x" * 80) for i in range(300000))
    _, code, errors = kcat(servers, "-P", "-t", topic("many"), *plain, data=many.encode())
    check("kcat carries 300,000 lines in order",
          code == 0 and kcat_reads(servers, "many", "-o", "beginning") == many, errors)


# ------------------------------------------------------------------------------ kcat and `tern kafka`

# Keys, values and headers with nulls, empty ones, NUL, delimiters and bytes that are not UTF-8.
AWKWARD = "%t|%p|%o|%K|%k|%S|%s|%h|%T;"


def tern_kafka(tern, servers, command, *args, data=None, timeout=60):
    done = subprocess.run([tern, "kafka", command, "-b", servers, *args], input=data, capture_output=True,
                          timeout=timeout)
    return done.stdout, done.returncode, done.stderr.decode()


def kcat_bytes(servers, *args):
    return subprocess.run(["kcat", "-b", servers, "-q", *args], capture_output=True, timeout=60).stdout


def both_read(tern, servers, name, *args):
    """What both print, or what each prints if they differ."""
    options = ["-t", topic(name), "-e", *args]
    theirs = kcat_bytes(servers, "-C", *options)
    ours, code, errors = tern_kafka(tern, servers, "consume", "-q", *options)
    return ours if ours == theirs and code == 0 else {"kcat": theirs, "tern": ours, "says": errors}


def tern_suite(servers, tern):
    lines = b"k1:one\nk2:\n:two\nno key\nk3:a\0b\xff\n"
    flags = ["-P", "-K", ":", "-H", "a=1", "-H", "b=", "-H", "c"]
    for writer in ("kcat", "tern"):
        for extra in ([], ["-Z"], *(["-z", codec] for codec in CODECS), ["-k", "fallback"], ["-p", "0", "-D", ":\\n"]):
            name = "both-%s%s" % (writer, "".join(extra).replace(":\\n", "D"))
            if writer == "kcat":
                _, code, errors = kcat(servers, "-t", topic(name), *flags, *extra, data=lines)
            else:
                _, code, errors = tern_kafka(tern, servers, *flags[:1], "-t", topic(name), *flags[1:], *extra,
                                             data=lines)
            read = both_read(tern, servers, name, "-f", AWKWARD)
            what = "%s writes %s, kcat and tern read the same" % (writer, " ".join(extra) or "lines")
            check(what, code == 0 and isinstance(read, bytes) and len(read) > 100, errors or read)

    # What one writes and the other writes is the same, but for the time and the name.
    for extra in ("", "-Z", *("-z" + codec for codec in CODECS), "-kfallback"):
        forms = [both_read(tern, servers, "both-%s%s" % (writer, extra), "-f", "%o|%K|%k|%S|%s|%h;")
                 for writer in ("kcat", "tern")]
        check("kcat and tern write the same records " + extra, forms[0] == forms[1], forms)

    name = "both-tern"
    for args in (["-o", "beginning"], ["-o", "-2"], ["-o", "2"], ["-o", "1", "-c", "2"], ["-o", "end"],
                 ["-K", "="], ["-D", ";"], ["-K:", "-D", "\\x41"], ["-u"],
                 ["-f", r"%s\t\x41%R\n"], ["-o", "s@0"], ["-o", "e@1"], ["-p", "0"]):
        read = both_read(tern, servers, name, *args)
        check("kcat and tern read the same with " + " ".join(args), isinstance(read, bytes), read)
    read = both_read(tern, servers, "both-tern-Z", "-Z", "-K", "=")
    check("kcat and tern show nulls with -Z", isinstance(read, bytes) and read.count(b"NULL") == 3, read)

    # The one envelope in JSON, as far as what is in it is text.
    kcat(servers, "-P", "-t", topic("both-json"), "-K", ":", "-H", "a=1", "-H", "a=2",
         data='k:"quoted"\nk:\\ \u00e9 \U0001f600\n:\t\n'.encode())
    theirs, ours = [[json.loads(line) for line in out.decode().splitlines()] for out in
                    (kcat_bytes(servers, "-C", "-J", "-e", "-t", topic("both-json")),
                     tern_kafka(tern, servers, "consume", "-J", "-e", "-q", "-t", topic("both-json"))[0])]
    check("kcat and tern write the same JSON", len(ours) == 3 and ours == theirs, (theirs, ours))
    read = tern_kafka(tern, servers, "consume", "-J", "-e", "-q", "-t", topic(name))[0]
    _, code, errors = tern_kafka(tern, servers, "produce", "-J", "-t", topic("both-copy"), data=read)
    forms = [kcat_bytes(servers, "-C", "-e", "-t", topic(each), "-f", "%K|%k|%S|%s|%h|%T;")
             for each in (name, "both-copy")]
    check("kcat reads the copy that tern makes by JSON", code == 0 and forms[0] == forms[1], forms)

    many = "".join("%d %s\n" % (i, "x" * 80) for i in range(300000)).encode()
    out, code, errors = tern_kafka(tern, servers, "produce", "-t", topic("both-many"), data=many)
    check("tern produces 300,000 lines", code == 0 and "delivered 300,000 records" in errors, errors)
    read = both_read(tern, servers, "both-many")
    check("kcat and tern read them in order", read == many)

    # Batches of more than one block of each codec.
    many = many[:many.index(b"30000 ")]
    for codec in CODECS:
        for writer in ("kcat", "tern"):
            large = "both-many-%s-%s" % (writer, codec)
            args = ["-P", "-t", topic(large), "-z", codec]
            if writer == "kcat":
                _, code, errors = kcat(servers, *args, data=many)
            else:
                _, code, errors = tern_kafka(tern, servers, *args, data=many)
            read = both_read(tern, servers, large)
            check("%s writes 30,000 lines in %s, kcat and tern read them" % (writer, codec), code == 0 and read == many,
                  errors)

    theirs, _, _ = kcat(servers, "-L", "-J", "-t", topic(name))
    ours, _, _ = tern_kafka(tern, servers, "metadata", "-J", "-t", topic(name))
    theirs, ours = json.loads(theirs), json.loads(ours)
    same = all(theirs[part] == ours[part] for part in ("brokers", "topics", "controllerid"))
    check("kcat and tern show the same metadata", same, (theirs, ours))


def both(tern, servers, *args, data=None):
    """What kcat and `tern kafka` write on standard output, called with the same words."""
    return [subprocess.run([*command, *args, "-b", servers], input=data, capture_output=True, timeout=60).stdout
            for command in (["kcat"], [tern, "kafka"])]


def tern_flags_suite(servers, tern):
    usage = subprocess.run(["kcat", "-h"], capture_output=True).stdout.decode()
    usage = usage[:usage.index("Format string tokens:")]
    flags = set(re.findall(r"(?:^  | \| )(-\w)", usage, re.M))
    known = subprocess.run([tern, "kafka", "-h"], capture_output=True).stdout.decode()
    missing = [flag for flag in sorted(flags) if not re.search(r"(^|\s)%s\b" % flag, known)]
    check("tern kafka -h names all %d flags of kcat -h" % len(flags), len(flags) > 30 and not missing, missing)

    binary = topic("flags")
    values = [b"\0\1\2\3\4\5\6\7text", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", b"12345678x"]
    tee = both(tern, servers, "-P", "-t", binary, "-K", "=", "-D", "\\n", "-T", "-q",
               data=b"".join(b"k%d=" % i + value + b"\n" for i, value in enumerate(values)))
    # kcat forgets the delimiter.
    check("kcat -T and tern kafka -T write the same", len(tee[0]) > 30 and tee[0] == tee[1].replace(b"\n", b""), tee)
    for form in ("bB", "value=bBhH", "value=iI", "value=q", "value=Q", "value=> q", "value=hhs", "key=cB", "key=cs$"):
        read = both(tern, servers, "-C", "-t", binary, "-e", "-q", "-s", form, "-f", "%k|%s|%o\n")
        check("kcat and tern read the same with -s " + form, len(read[0]) > 30 and read[0] == read[1], read)
    read = both(tern, servers, "-CeJqt" + binary, "-D", ";;")
    read = [[json.loads(part)["offset"] for part in out.decode(errors="replace").split(";;")[:-1]] for out in read]
    check("kcat and tern end JSON with -D", len(read[0]) == 6 and read[0] == read[1], read)

    asked = [("-t", "%s:0:%d" % (binary, at)) for at in (0, 1, -1, -2, 99999999999999)]
    for words in [*asked, (*asked[0], "-t", topic("both-tern") + ":0:0")]:
        text = both(tern, servers, "-Q", *words)
        check("kcat -Q and tern kafka -Q tell the same " + words[1][-16:], len(text[0]) > 10 and text[0] == text[1], text)
        shapes = [json.loads(out) for out in both(tern, servers, "-Q", "-J", *words)]
        check("the same in JSON", shapes[0] and shapes[0] == shapes[1], shapes)
    text = [[line.strip() for line in out.decode().splitlines()[1:]] for out in both(tern, servers, "-L", "-t", binary)]
    check("kcat -L and tern kafka -L write the same but for margins", len(text[0]) > 3 and text[0] == text[1], text)


# --------------------------------------------------------------------------------- Python clients

def kafka_python_suite(servers):
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
    from kafka.errors import TopicAlreadyExistsError

    nodes = servers.split(",")
    admin = KafkaAdminClient(bootstrap_servers=nodes)
    name = topic("kp")
    new = NewTopic(name, num_partitions=4, replication_factor=len(nodes),
                   topic_configs={"max.message.bytes": "2000000"})
    admin.create_topics([new])
    try:
        admin.create_topics([new])
        check("kafka-python cannot create a topic twice", False)
    except TopicAlreadyExistsError:
        check("kafka-python cannot create a topic twice", True)
    check("kafka-python lists topics", name in admin.list_topics())
    described = admin.describe_topics([name])
    check("kafka-python describes a topic", len(described) == 1 and name in str(described), described)
    configs = str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)]))
    check("kafka-python describes configs", "2000000" in configs, configs[:200])

    producer = KafkaProducer(bootstrap_servers=nodes, acks="all", enable_idempotence=True,
                             compression_type="gzip", linger_ms=5)
    futures = [producer.send(name, key=b"k%d" % i, value=b"%d" % i, partition=i % 4,
                             headers=[("h", b"%d" % i)], timestamp_ms=1000 + i) for i in range(20000)]
    futures.append(producer.send(name, key=b"gone", value=None, partition=0, timestamp_ms=90000))
    producer.flush()
    sent = [future.get(timeout=30) for future in futures]
    check("kafka-python writes with gzip and idempotence",
          [m.offset for m in sent[:8]] == [0, 0, 0, 0, 1, 1, 1, 1] and sent[-1].offset == 5000)
    producer.close()

    consumer = KafkaConsumer(bootstrap_servers=nodes, enable_auto_commit=False, group_id=None,
                             consumer_timeout_ms=5000)
    partitions = [TopicPartition(name, i) for i in range(4)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    seen = {p.partition: [] for p in partitions}
    while sum(map(len, seen.values())) < 20001:
        batch = consumer.poll(timeout_ms=5000)
        if not batch:
            break
        for partition, records in batch.items():
            seen[partition.partition] += records
    values = {p: [r.value for r in rs] for p, rs in seen.items()}
    expected = {p: [b"%d" % i for i in range(p, 20000, 4)] for p in range(4)}
    expected[0].append(None)
    check("kafka-python reads all of it in order", values == expected)
    first = seen[1][0] if seen[1] else None
    check("kafka-python reads keys, headers and times",
          first is not None and first.key == b"k1" and list(first.headers)[0][0] == "h" and
          first.timestamp == 1001, first)
    ends = consumer.end_offsets(partitions)
    check("kafka-python asks for end offsets", ends[partitions[0]] == 5001 and ends[partitions[3]] == 5000, ends)
    at = consumer.offsets_for_times({partitions[0]: 1000 + 400})
    check("kafka-python asks for the offset of a time", at[partitions[0]].offset == 100, at)
    consumer.seek(partitions[0], 4999)
    again = consumer.poll(timeout_ms=5000).get(partitions[0], [])
    check("kafka-python reads after a seek", [r.value for r in again] == [b"19996", None], again)
    consumer.close()

    admin.create_partitions({name: 6})
    check("kafka-python adds partitions", len(admin.describe_topics([name])[0]["partitions"]) == 6)
    admin.delete_topics([name])
    for _ in range(50):  # a real cluster takes a moment until all of its nodes know
        gone = name not in admin.list_topics()
        if gone:
            break
        time.sleep(0.1)
    check("kafka-python deletes a topic", gone)
    admin.close()


def aiokafka_suite(servers):
    import asyncio

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    async def run():
        name = topic("aio")
        producer = AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True, acks="all",
                                    compression_type="gzip")
        await producer.start()
        sends = [await producer.send(name, b"%d" % i, key=b"k", timestamp_ms=1000 + i) for i in range(5000)]
        offsets = [(await one).offset for one in sends]
        await producer.stop()
        check("aiokafka writes with gzip and idempotence", offsets == list(range(5000)))
        consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest",
                                    enable_auto_commit=False)
        await consumer.start()
        partition = TopicPartition(name, 0)
        consumer.assign([partition])
        values = []
        while len(values) < 5000:
            got = await consumer.getmany(partition, timeout_ms=5000)
            if not got:
                break
            values += [r.value for r in got[partition]]
        check("aiokafka reads it back in order", values == [b"%d" % i for i in range(5000)])
        times = await consumer.offsets_for_times({partition: 1000 + 1234})
        check("aiokafka asks for the offset of a time", times[partition].offset == 1234, times)
        ends = await consumer.end_offsets([partition])
        check("aiokafka asks for the end offset", ends[partition] == 5000, ends)
        await consumer.stop()

    asyncio.run(run())


# ---------------------------------------------------------------------------------------------- Java

def java(version, servers, tool, name, *args, data=None):
    command = [str(KAFKA), "tool", tool, "--version", version, "--", "--bootstrap-server", servers,
               "--topic", topic(name), *args]
    done = subprocess.run(command, input=data, capture_output=True, timeout=90)
    return done.stdout.decode(), done.stderr.decode()


def java_reads(version, servers, name, offset, count, *shown):
    shown = [part for what in shown for part in ("--property", "print.%s=true" % what)]
    out, errors = java(version, servers, "ConsoleConsumer", name, "--partition", "0", "--offset", offset,
                       "--max-messages", str(count), "--timeout-ms", "20000", *shown)
    return "".join(line + "\n" for line in out.splitlines() if "--property is deprecated" not in line), errors


def java_suite(servers, version):
    who = "the Java client of " + version
    for codec in ("gzip", "zstd"):
        name = "java-%s-%s" % (version, codec)
        lines = "".join("k%d:line %d\n" % (i, i) for i in range(3000))
        _, errors = java(version, servers, "ConsoleProducer", name, "--property", "parse.key=true", "--property",
                         "key.separator=:", "--compression-codec", codec, "--request-required-acks", "all",
                         "--producer-property", "enable.idempotence=true", data=lines.encode())
        read = kcat_reads(servers, name, "-o", "beginning", "-K", ":")
        check("%s writes with idempotence, codec %s" % (who, codec), read == lines, errors)
    read, errors = java_reads(version, servers, name, "earliest", 3000, "key")
    check(who + " reads from the beginning", read == lines.replace(":", "\t"), errors)
    read, errors = java_reads(version, servers, name, "2990", 10)
    check(who + " reads from an offset", read == "".join("line %d\n" % i for i in range(2990, 3000)), errors)

    name = "java-%s-kcat" % version
    kcat(servers, "-P", "-t", topic(name), "-K", ":", "-Z", "-H", "a=1", "-z", "gzip", data=b"key:value\nnull:\n")
    headers = ["headers"] if version[0] != "2" else []
    read, errors = java_reads(version, servers, name, "earliest", 2, "key", *headers)
    expected = ["a:1\t"] * 2 if headers else ["", ""]
    check(who + " reads keys, nulls and headers of kcat's",
          read == expected[0] + "key\tvalue\n" + expected[1] + "null\tnull\n", read + errors)

    name = "java-%s-group" % version
    kcat(servers, "-P", "-t", topic(name), data="".join("line %d\n" % i for i in range(30)).encode())
    for protocol, options in group_peers.JAVA_PROTOCOLS[version].items():
        group_peers.java(lambda tool, *args: java(version, servers, tool, name, *args)[0],
                         who + protocol, topic(name) + protocol, check, options)

    name = "java-%s-acks" % version
    out, errors = java(version, servers, "VerifiableProducer", name, "--max-messages", "500", "--acks", "-1")
    offsets = [int(n) for n in re.findall(r'"producer_send_success".*"offset":(\d+)', out)]
    check(who + " is told every offset", offsets == list(range(500)), out[-300:] + errors)


# ------------------------------------------------------------------------------------------ franz-go

KGO = CACHE.parent / "kgo_test"
# TestClient_Produce comes before the others, which run side by side: it finds out for them which protocols
# the broker speaks.
KGO_TESTS = ["TestClient_Produce", "TestGroupSimple/classic", "TestGroupSimple/848", "TestGroupETL/range",
             "TestGroupETL/range/848", "TestGroupETL/sticky/848", "TestGroupETL/sticky/848/static",
             "TestGroupETL/cooperative-sticky", "TestGroupETL/cooperative-sticky/static"]


def franz_go_suite(servers):
    """Its own tests. ETL: three groups in a row, each reads what the one before it has written, while members
    come, leave, and leave without a commit; every record once and in order."""
    settings = {"KGO_SEEDS": servers, "KGO_TEST_RF": str(len(servers.split(","))), "KGO_TEST_RECORDS": "10000",
                "KGO_LOG_LEVEL": "none"}
    wanted = "^(%s)$" % "|".join(sorted({name.split("/")[0] for name in KGO_TESTS}))
    done = subprocess.run([KGO, "-test.v", "-test.timeout", "90s", "-test.run", wanted], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, **settings})
    out = done.stdout.decode(errors="replace")
    results = {name: result for result, name in re.findall(r"^ *--- (\w+): (\S+)", out, re.M)}
    for name in KGO_TESTS:
        if results.get(name) == "SKIP":
            skip("franz-go's " + name, "it skips itself")
        else:
            check("franz-go's " + name, results.get(name) == "PASS", results.get(name, "did not end"))
    check("franz-go's tests end well", done.returncode == 0, out[-6000:])


# ------------------------------------------------------------------------------------------- answers

def answers_suite(servers):
    """The node asked has to coordinate all groups."""
    if "," in servers or not group_answers.clients_jar():
        skip("answers about groups", "needs one node, and Kafka's schemas; ./dev setup installs them")
        return
    different, count = group_answers.compare(servers)
    for what, theirs, ours in different:
        check("answers as Kafka: " + what, False, (theirs, ours))
    check("%d questions about groups are answered as Kafka answers them" % count, not different)


# -------------------------------------------------------------------------------------------- running

GROUPS = {"range": {"partition.assignment.strategy": "range", "heartbeat.interval.ms": 500},
          "cooperative": {"partition.assignment.strategy": "cooperative-sticky", "heartbeat.interval.ms": 500},
          "KIP-848 uniform": {"group.protocol": "consumer"},
          "KIP-848 range": {"group.protocol": "consumer", "group.remote.assignor": "range"}}
SUITES = {
    "kafka-python": ("kafka", kafka_python_suite),
    "aiokafka": ("aiokafka", aiokafka_suite),
    "groups of kafka-python": ("kafka", lambda at: group_peers.kafka_python(at, topic("kp-group"), check)),
    "groups of aiokafka": ("aiokafka", lambda at: group_peers.aiokafka(at, topic("aio-group"), check)),
    "groups of librdkafka": ("confluent_kafka",
                             lambda at: group_peers.librdkafka(at, topic("rd-group"), check, GROUPS)),
}


def run_in_python(name, servers):
    """Each in an interpreter of its own, which tells its counts on its last line."""
    module = SUITES[name][0]
    interpreter = str(PYTHON) if PYTHON.exists() else sys.executable
    if subprocess.run([interpreter, "-c", "import " + module], capture_output=True).returncode != 0:
        skip(name, "not installed; `%s --install` does it" % sys.argv[0])
        return
    try:
        done = subprocess.run([interpreter, __file__, "--suite", name, "--at", servers], stdout=subprocess.PIPE,
                              timeout=180)
        out = done.stdout.decode()
    except subprocess.TimeoutExpired as late:
        out = (late.stdout or b"").decode()
    print(out, end="", flush=True)
    checks.counts["passed"] += len(re.findall(r"^ok ", out, re.M))
    checks.counts["failed"] += len(re.findall(r"^FAILED", out, re.M))
    if not re.search(r"^suite ended$", out, re.M):
        check(name + " gets to its end", False)


def run_all(servers, tern=None, embedded=False):
    if shutil.which("kcat"):
        try:
            kcat_suite(servers)
            group_peers.kcat(servers, topic("kcat-group"), check)
            if tern:
                tern_suite(servers, tern)
                tern_flags_suite(servers, tern)
            else:
                skip("kcat and tern", "nobody said which tern")
        except subprocess.TimeoutExpired as late:
            check("kcat gets to its end", False, str(late.cmd))
    else:
        skip("kcat", "not installed; it is Debian's package kcat")
    for name in SUITES:
        run_in_python(name, servers)
    if KGO.exists():
        franz_go_suite(servers)
    else:
        skip("franz-go", "its tests are not built; ./dev setup does it where there is a Go")
    if embedded:
        answers_suite(servers)
    for version in JAVA:
        if shutil.which("java") and shutil.which("mvn"):
            try:
                java_suite(servers, version)
            except subprocess.TimeoutExpired as late:
                check("the Java client of %s gets to its end" % version, False, str(late.cmd))
        else:
            skip("the Java client of " + version, "needs Java and Maven; ./dev setup installs them")
    return finish()


def install():
    subprocess.run([sys.executable, "-m", "venv", str(CACHE)], check=True)
    pip = [str(PYTHON), "-m", "pip"]
    subprocess.run([*pip, "install", "--quiet", *PINNED], check=True)
    subprocess.run([*pip, "download", "--quiet", "--no-deps", "--no-binary", "aiormq", "--dest", str(CACHE),
                    AIORMQ.replace("-", "==")], check=True)
    shutil.unpack_archive(CACHE / (AIORMQ + ".tar.gz"), CACHE)
    return 0


def serve_and_run(command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            servers = None
            for line in server.stdout:
                found = re.search(r"[\w.\-]+:\d+(,[\w.\-]+:\d+)*", line)
                if found:
                    servers = found.group(0)
                    break
            if not servers:
                print("the broker did not say where it listens")
                return 1
            return run_all(servers, command[0], embedded=True)
        finally:
            server.terminate()


def main(args):
    if args == ["--install"]:
        return install()
    if len(args) == 4 and args[0] == "--suite" and args[2] == "--at":
        SUITES[args[1]][1](args[3])
        print("suite ended")
        return 0
    if len(args) in (2, 3) and args[0] == "--at":
        return run_all(*args[1:])
    if not args or args[0].startswith("-"):
        print(__doc__)
        return 2
    return serve_and_run(args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
