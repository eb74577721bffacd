#!/usr/bin/env python3
"""Has other clients read the batches that tern writes, and compares what they read, field by field.

    records_peer_check.py RECORDS_PEER [--seed N]

RECORDS_PEER is the built program //tests/kafka:records_peer. kafka-python reads each batch, those in lz4,
snappy and zstd excepted, for which it wants more packages; librdkafka (confluent-kafka) consumes them from
its mock broker. Both are in the environment that tests/broker/peers.py
makes.
"""
import argparse
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile

import confluent_kafka

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "records"
sys.path.insert(0, str(GOLDEN))
import make_records  # noqa: E402: it lives there


def compare(client, name, ours, theirs):
    if ours != theirs:
        for mine, other in zip(ours, theirs):
            if mine != other:
                raise SystemExit(f"{client} reads {name} differently:\n  tern:  {mine}\n  other: {other}")
        raise SystemExit(f"{client} reads {len(theirs)} lines from {name}, tern {len(ours)}")


def with_kafka_python(batches):
    read = [(path, data, lines) for path, data, lines in batches if re.search("codec=(none|gzip) ", lines[0])]
    assert len(read) >= 40
    for path, data, lines in read:
        compare("kafka-python", path.name, lines, make_records.dump(data))


def raw_produce(host, port, topic, partition, batch):
    body = struct.pack(">hhi", -1, -1, 10000)  # no transaction, acks=all
    body += struct.pack(">ih", 1, len(topic)) + topic.encode()
    body += struct.pack(">iii", 1, partition, len(batch)) + batch
    request = struct.pack(">hhih", 0, 3, 7, -1) + body
    with socket.create_connection((host, port)) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        response = stream.read(struct.unpack(">i", stream.read(4))[0])
    error = struct.unpack_from(">h", response, 4 + 4 + 2 + len(topic) + 4 + 4)[0]
    if error:
        raise SystemExit(f"librdkafka's mock broker answers error {error}")


def record_of(message, offset):
    def text(data):
        return "null" if data is None else "'" + data.hex() + "'"

    line = f"record offset={offset} time={message.timestamp()[1]} key={text(message.key())} value={text(message.value())}"
    for key, value in message.headers() or []:
        line += " " + text(key.encode()) + "=" + text(value)
    return line


def with_librdkafka(batches):
    producer = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 0})
    codecs = set()
    for number, (path, data, lines) in enumerate(batches):
        if "producer=-1/" not in lines[0]:
            continue  # the mock broker knows no such producer
        codecs.add(re.search("codec=(\\w+) ", lines[0])[1])
        topic = f"peer{number}"
        producer.list_topics(topic, timeout=10)
        broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
        raw_produce(broker.host, broker.port, topic, 0, data)
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": f"{broker.host}:{broker.port}", "group.id": "g", "check.crcs": True,
             "log_level": 0})
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        expected = [line for line in lines if line.startswith("record")]
        got = []
        while len(got) < len(expected):
            message = consumer.poll(10)
            if message is None or message.error():
                raise SystemExit(f"librdkafka cannot read {path.name}: {message and message.error()}")
            got.append(record_of(message, message.offset()))
        consumer.close()
        compare("librdkafka", path.name, expected, got)
    assert len(codecs) == 5, codecs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("records_peer")
    parser.add_argument("--seed", default="1")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([arguments.records_peer, folder, arguments.seed], check=True)
        batches = []
        for path in sorted(pathlib.Path(folder).glob("*.batch")):
            data = bytes.fromhex(re.sub(r"\s", "", path.read_text()))
            batches.append((path, data, path.with_suffix(".lines").read_text().splitlines()))
        assert len(batches) >= 50
        with_kafka_python(batches)
        with_librdkafka(batches)
    print(f"kafka-python and librdkafka read {len(batches)} batches as tern does")


if __name__ == "__main__":
    main()
