"""Consumer groups of clients that nobody here wrote, for peers.py, which says where and how they run.

Each suite makes two members share a topic, lets one leave, and looks at what was read and committed:
every record once, however the partitions went round, and nothing again for who comes later.
"""
import asyncio
import re
import subprocess
import time

PARTITIONS, RECORDS = 6, 300
PATIENCE = 30  # seconds for a rebalance


def expect(first, count):
    return {b"%d" % i for i in range(first, first + count)}


class Group:
    """Members with poll() -> values, owned() -> number of partitions, commit(), close()."""

    def __init__(self, what, check, members, produce, committed):
        self.what, self.check, self.members, self.produce, self.committed = what, check, members, produce, committed
        self.seen, self.twice = set(), 0

    def poll(self, done):
        end = time.monotonic() + PATIENCE
        while not done() and time.monotonic() < end:
            for member in self.members:
                values = member.poll()
                self.twice += len(self.seen & set(values))
                self.seen |= set(values)
        return done()

    def run(self, join):
        said = "%s: " % self.what
        self.check(said + "one member has everything", self.poll(lambda: self.members[0].owned() == PARTITIONS))
        self.members.append(join())
        half = PARTITIONS // 2
        self.check(said + "two members share", self.poll(lambda: [m.owned() for m in self.members] == [half, half]),
                   [m.owned() for m in self.members])
        self.produce(0, RECORDS)
        self.check(said + "both together read all", self.poll(lambda: self.seen == expect(0, RECORDS)),
                   len(self.seen))
        leaving = self.members.pop()
        for member in (leaving, self.members[0]):
            member.commit()
        leaving.close()
        self.check(said + "one leaves, the other takes over",
                   self.poll(lambda: self.members[0].owned() == PARTITIONS))
        self.produce(RECORDS, RECORDS)
        self.check(said + "it reads on where that one was",
                   self.poll(lambda: self.seen == expect(0, 2 * RECORDS)) and self.twice == 0,
                   (len(self.seen), self.twice))
        self.members[0].commit()
        self.members[0].close()
        self.check(said + "what was committed is read back", self.committed() == 2 * RECORDS, self.committed())


# ------------------------------------------------------------------------------------------ librdkafka

class ConfluentMember:
    def __init__(self, servers, topic, group, options):
        from confluent_kafka import Consumer

        self.consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "enable.auto.commit": False,
                                  "auto.offset.reset": "earliest", **options})
        self.consumer.subscribe([topic])

    def poll(self):
        messages = self.consumer.consume(100, timeout=0.05)
        return [m.value() for m in messages if not m.error()]

    def owned(self):
        return len(self.consumer.assignment())

    def commit(self):
        from confluent_kafka import KafkaException

        try:
            self.consumer.commit(asynchronous=False)
        except KafkaException as nothing:
            if nothing.args[0].name() != "_NO_OFFSET":
                raise

    def close(self):
        self.consumer.close()


def librdkafka(servers, topic, check, variants):
    from confluent_kafka import Consumer, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": servers})
    for name, options in variants.items():
        where = "%s-%s" % (topic, name.replace(" ", "-"))
        group = where + "-group"
        admin.create_topics([NewTopic(where, PARTITIONS, 1)])[where].result(10)
        producer = Producer({"bootstrap.servers": servers})

        def produce(first, count):
            for i in range(first, first + count):
                producer.produce(where, b"%d" % i, partition=i % PARTITIONS)
            producer.flush(10)

        def committed():
            reader = Consumer({"bootstrap.servers": servers, "group.id": group})
            found = reader.committed([TopicPartition(where, p) for p in range(PARTITIONS)], timeout=10)
            reader.close()
            return sum(max(p.offset, 0) for p in found)

        def join():
            return ConfluentMember(servers, where, group, options)

        Group("librdkafka, " + name, check, [join()], produce, committed).run(join)
        groups = {g.group_id: g for g in admin.list_consumer_groups().result(10).valid}
        described = admin.describe_consumer_groups([group])[group].result(10)
        check("librdkafka, %s: lists and describes the group" % name,
              group in groups and described.state.name == "EMPTY" and not described.members, described.state)
        admin.delete_consumer_groups([group])[group].result(10)
        check("librdkafka, %s: deletes the group" % name, committed() == 0)


# -------------------------------------------------------------------------------------------- Python

class KafkaPythonMember:
    def __init__(self, servers, topic, group):
        from kafka import KafkaConsumer

        self.consumer = KafkaConsumer(topic, bootstrap_servers=servers.split(","), group_id=group,
                                      enable_auto_commit=False, auto_offset_reset="earliest",
                                      heartbeat_interval_ms=500)

    def poll(self):
        # Of a rebalance that a shorter poll() leaves in the middle it may lose the end, with Kafka too.
        return [r.value for records in self.consumer.poll(timeout_ms=1500).values() for r in records]

    def owned(self):
        return len(self.consumer.assignment())

    def commit(self):
        self.consumer.commit()

    def close(self):
        self.consumer.close(autocommit=False)


def kafka_python(servers, topic, check):
    from kafka import KafkaAdminClient, KafkaProducer
    from kafka.admin import NewTopic

    admin = KafkaAdminClient(bootstrap_servers=servers.split(","))
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])
    producer = KafkaProducer(bootstrap_servers=servers.split(","))
    group = topic + "-group"

    def produce(first, count):
        for i in range(first, first + count):
            producer.send(topic, b"%d" % i, partition=i % PARTITIONS)
        producer.flush()

    def committed():
        return sum(found.offset for found in admin.list_group_offsets(group)[group].values())

    def join():
        return KafkaPythonMember(servers, topic, group)

    Group("kafka-python", check, [join()], produce, committed).run(join)
    if importable("confluent_kafka"):
        def join_other():
            return ConfluentMember(servers, topic, mixed, {"partition.assignment.strategy": "range"})

        mixed = topic + "-mixed"
        group = mixed
        together = Group("kafka-python and librdkafka in one group", check,
                         [KafkaPythonMember(servers, topic, mixed)], produce, committed)
        together.poll(lambda: len(together.seen) == 2 * RECORDS)
        for member in together.members:
            member.commit()
        together.members.append(join_other())
        half = PARTITIONS // 2
        check(together.what + " share", together.poll(lambda: [m.owned() for m in together.members] == [half, half]),
              [m.owned() for m in together.members])
        produce(2 * RECORDS, RECORDS)
        check(together.what + " read all, none twice",
              together.poll(lambda: together.seen == expect(0, 3 * RECORDS)) and together.twice == 0,
              (len(together.seen), together.twice))
        for member in together.members:
            member.commit()
            member.close()
        check(together.what + " have committed all", committed() == 3 * RECORDS, committed())
    admin.close()


def importable(module):
    try:
        __import__(module)
        return True
    except ImportError:
        return False


def aiokafka(servers, topic, check):
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    async def run():
        admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        await admin.start()
        await admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])
        producer = AIOKafkaProducer(bootstrap_servers=servers)
        await producer.start()
        members = []

        async def join():
            member = AIOKafkaConsumer(topic, bootstrap_servers=servers, group_id=topic + "-group",
                                      enable_auto_commit=False, auto_offset_reset="earliest",
                                      heartbeat_interval_ms=500)
            await member.start()
            members.append(member)

        seen = []

        async def poll(done):
            end = time.monotonic() + PATIENCE
            while not done() and time.monotonic() < end:
                for member in members:
                    got = await member.getmany(timeout_ms=50)
                    seen.extend(r.value for records in got.values() for r in records)
            return done()

        await join()
        await join()
        half = PARTITIONS // 2
        check("aiokafka: two members share",
              await poll(lambda: [len(m.assignment()) for m in members] == [half, half]))
        for i in range(RECORDS):
            await producer.send_and_wait(topic, b"%d" % i, partition=i % PARTITIONS)
        check("aiokafka: both together read all", await poll(lambda: set(seen) == expect(0, RECORDS)))
        for member in members:
            await member.commit()
        await members.pop().stop()
        check("aiokafka: one leaves, the other takes over",
              await poll(lambda: len(members[0].assignment()) == PARTITIONS))
        found = await admin.list_consumer_group_offsets(topic + "-group")
        check("aiokafka: what was committed is read back, and nothing again",
              sum(p.offset for p in found.values()) == RECORDS == len(seen), (found, len(seen)))
        await members.pop().stop()
        await producer.stop()
        await admin.close()

    asyncio.run(run())


# -------------------------------------------------------------------------------------- whole programs

def kcat(servers, topic, check):
    def produce(lines):
        subprocess.run(["kcat", "-b", servers, "-P", "-t", topic], input=lines.encode(), check=True, timeout=30)

    def read():
        done = subprocess.run(["kcat", "-b", servers, "-q", "-u", "-e", "-X", "auto.offset.reset=earliest", "-G",
                               topic + "-group", topic], capture_output=True, timeout=60)
        return done.stdout.decode()

    produce("a\nb\n")
    check("kcat reads as a member of a group", read() == "a\nb\n")
    produce("c\n")
    check("kcat goes on where the group was", read() == "c\n")


JAVA_PROTOCOLS = {"2.8.2": {"": []}, "4.4.0": {"": [], " (KIP-848)": ["--consumer-property", "group.protocol=consumer"]}}


def java(run_tool, who, group, check, options=()):
    """run_tool(name, *args) runs one of Kafka's own programs and returns what it writes."""
    def read(count):
        out = run_tool("ConsoleConsumer", "--group", group, "--max-messages", str(count), "--timeout-ms",
                       "20000", "--consumer-property", "auto.offset.reset=earliest", *options)
        return re.findall(r"^line \d+$", out, re.M)

    lines = ["line %d" % i for i in range(30)]
    first, second = read(20), read(10)
    check(who + " reads as a member of a group", first == lines[:20], first)
    check(who + " goes on where the group was", second == lines[20:], second)
