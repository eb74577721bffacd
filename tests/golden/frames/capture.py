#!/usr/bin/env python3
"""Captures frames that a real Kafka broker exchanges, with their meaning, into the files beside this.

    capture.py CLIENTS_JAR BROKER_PORT [JAVA_CLASS_PATH [PYTHON_WITH_KAFKA]]
    capture.py --hints CLIENTS_JAR PORT_OF_NODE_1
    capture.py --groups CLIENTS_JAR BROKER_PORT

The broker has to advertise 127.0.0.1:(BROKER_PORT + 1), where this script listens and records, and to
have unstable versions switched on:

    tests/real/kafka.sh start --port 19092 --set unstable.api.versions.enable=true \\
        --set advertised.listeners=PLAINTEXT://127.0.0.1:19093

walk.txt        every API in every version, asked by a small encoder that works from Kafka's schemas
java.txt        the Java client (Clients.java), newest versions
librdkafka.txt  kcat
python.txt      kafka-python
hints.txt       (second form, a cluster of two or more nodes) a node that does not lead says who does
groups.txt      (third form) as walk.txt, for groups: each has one member, the walker itself

Each entry: a line `frame SOURCE API VERSION request|response`, the frame without its size in hex, and
the body as text, by the decoder in kafka_schema.py.
"""

import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid

sys.dont_write_bytecode = True
from kafka_schema import Decoder, Encoder, Schemas, covers  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
APIS = [
    "ApiVersions", "Metadata", "InitProducerId", "FindCoordinator", "CreateTopics", "Produce",
    "ListOffsets", "Fetch", "OffsetForLeaderEpoch", "DescribeConfigs", "CreatePartitions",
    "DeleteTopics",
]  # fmt: skip
GROUP_APIS = [
    "OffsetCommit", "OffsetFetch", "JoinGroup", "Heartbeat", "LeaveGroup", "SyncGroup", "DescribeGroups",
    "ListGroups", "DeleteGroups", "OffsetDelete", "ConsumerGroupHeartbeat", "ConsumerGroupDescribe",
]  # fmt: skip
LARGEST = 4000  # bytes of a frame worth keeping


def read_exactly(connection, n):
    data = b""
    while len(data) < n:
        piece = connection.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_frame(connection):
    return read_exactly(connection, struct.unpack(">i", read_exactly(connection, 4))[0])


class Book:
    """The frames kept: one per API, version and direction, the one that says most."""

    def __init__(self, schemas, apis=APIS):
        self.schemas, self.apis, self.frames = schemas, apis, {}

    def add(self, key, version, direction, frame):
        schema = self.schemas.find(key, direction)
        if schema is None or schema["name"].removesuffix(direction.title()) not in self.apis:
            return
        at, body_version = self.body_at(schema, key, version, direction, frame), version
        if key == 18 and direction == "response" and frame[4:6] == b"\0\x23":
            body_version = 0  # "unsupported version" has a body of version 0
        decoder = Decoder(schema, body_version, frame, at)
        text = decoder.message()
        if decoder.at != len(frame):
            raise ValueError(f"{schema['name']} v{version}: {len(frame) - decoder.at} bytes left")
        slot = (key, version, direction)
        if len(frame) <= LARGEST and len(frame) > len(self.frames.get(slot, (b"",))[0]):
            self.frames[slot] = (frame, text)

    @staticmethod
    def body_at(schema, key, version, direction, frame):
        flexible = covers(schema["flexibleVersions"], version)
        if direction == "response":
            return 5 if flexible and key != 18 else 4
        client = struct.unpack(">h", frame[8:10])[0]
        return 10 + max(client, 0) + (1 if flexible else 0)

    def write(self, source):
        with open(HERE / f"{source}.txt", "w", encoding="utf-8") as out:
            for (key, version, direction), (frame, text) in sorted(self.frames.items()):
                name = self.schemas.find(key, direction)["name"].removesuffix(direction.title())
                out.write(f"frame {source} {name} {version} {direction}\n{frame.hex()}\n{text}\n")
        print(f"{source}: {len(self.frames)} frames")


class Recorder:
    """Forwards connections to the broker and notes what goes by."""

    def __init__(self, port, broker_port):
        self.broker_port, self.book = broker_port, None
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            broker = socket.create_connection(("127.0.0.1", self.broker_port))
            pending = {}
            for call in (self.requests, self.responses):
                threading.Thread(target=self.guard, args=(call, client, broker, pending), daemon=True).start()

    @staticmethod
    def guard(call, client, broker, pending):
        try:
            call(client, broker, pending)
        except (EOFError, OSError):
            pass
        for connection in (client, broker):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def requests(self, client, broker, pending):
        while True:
            frame = read_frame(client)
            key, version, correlation = struct.unpack(">hhi", frame[:8])
            pending[correlation] = (key, version)
            if self.book:
                self.book.add(key, version, "request", frame)
            broker.sendall(struct.pack(">i", len(frame)) + frame)

    def responses(self, client, broker, pending):
        while True:
            frame = read_frame(broker)
            key, version = pending.pop(struct.unpack(">i", frame[:4])[0])
            if self.book:
                self.book.add(key, version, "response", frame)
            client.sendall(struct.pack(">i", len(frame)) + frame)


class Walker:
    """Asks for every API in every version."""

    def __init__(self, schemas, port, book):
        self.schemas, self.book, self.correlation = schemas, book, 0
        self.connection = socket.create_connection(("127.0.0.1", port))

    def ask(self, api, version, values):
        key = self.schemas.key_of(api)
        schema = self.schemas.find(key, "request")
        self.correlation += 1
        client = b"walker"
        frame = struct.pack(">hhih", key, version, self.correlation, len(client)) + client
        if covers(schema["flexibleVersions"], version):
            frame += b"\0"
        frame += Encoder(schema, version).message(values)
        self.connection.sendall(struct.pack(">i", len(frame)) + frame)
        response = read_frame(self.connection)
        if version in self.versions(api):
            self.book.add(key, version, "request", frame)
        self.book.add(key, version, "response", response)
        return response

    def versions(self, api):
        first, _, last = self.schemas.find(self.schemas.key_of(api), "request")["validVersions"].partition("-")
        return range(int(first), int(last or first) + 1)

    def topic_id(self, name):
        frame = self.ask("Metadata", 12, {"Topics": [{"Name": name}]})
        text = frame.hex()
        return uuid.UUID(text[text.index(name.encode().hex()) + 2 * len(name) :][:32])

    def walk(self, batch):
        for version in self.versions("ApiVersions"):
            self.ask("ApiVersions", version, {"ClientSoftwareName": "walker", "ClientSoftwareVersion": "1.0"})
        self.ask("ApiVersions", 77, {})  # refused, with a body of version 0
        self.walk_topics()
        self.wait_for_coordinators()
        self.ask("Metadata", 4, {"Topics": [{"Name": "golden"}]})
        topic = {"Name": "golden", "Topic": "golden", "TopicId": self.topic_id("golden")}
        for version in self.versions("Metadata"):
            name = [{"Name": "golden"}, {"Name": "missing"}]
            self.ask("Metadata", version, {"Topics": name, "AllowAutoTopicCreation": version < 4,
                                           "IncludeTopicAuthorizedOperations": True})
        for version in self.versions("Produce"):
            partitions = [{"Index": 0, "Records": batch}, {"Index": 9, "Records": batch}]
            self.ask("Produce", version, {"Acks": -1, "TimeoutMs": 3000,
                                          "TopicData": [topic | {"PartitionData": partitions}]})
        for version in self.versions("Fetch"):
            partitions = [{"Partition": p, "FetchOffset": offset, "PartitionMaxBytes": 400}
                          for p, offset in ((0, 0), (1, 10**6))]
            self.ask("Fetch", version, {"MaxWaitMs": 10, "MinBytes": 1, "RackId": "r",
                                        "Topics": [topic | {"Partitions": partitions}]})
        for version in self.versions("ListOffsets"):
            partitions = [{"PartitionIndex": 0, "Timestamp": -1}, {"PartitionIndex": 1, "Timestamp": -2},
                          {"PartitionIndex": 5, "Timestamp": 17}]
            self.ask("ListOffsets", version, {"ReplicaId": -1, "TimeoutMs": 1000,
                                              "Topics": [topic | {"Partitions": partitions}]})
        for version in self.versions("OffsetForLeaderEpoch"):
            partitions = [{"Partition": 0, "CurrentLeaderEpoch": 0, "LeaderEpoch": 0},
                          {"Partition": 1, "CurrentLeaderEpoch": 99, "LeaderEpoch": 0}]
            self.ask("OffsetForLeaderEpoch", version, {"ReplicaId": -1,
                                                       "Topics": [topic | {"Partitions": partitions}]})
        for version in self.versions("FindCoordinator"):
            self.ask("FindCoordinator", version, {"Key": "group", "CoordinatorKeys": ["group", "other"]})
        for version in self.versions("InitProducerId"):
            self.ask("InitProducerId", version, {"TransactionalId": None, "TransactionTimeoutMs": 60000})
        for version in self.versions("DescribeConfigs"):
            keys = ["retention.ms"] if version < 3 else ["preallocate"]
            self.ask("DescribeConfigs", version, {
                "Resources": [{"ResourceType": 2, "ResourceName": "golden", "ConfigurationKeys": keys},
                              {"ResourceType": 2, "ResourceName": "absent", "ConfigurationKeys": None},
                              {"ResourceType": 2, "ResourceName": "no/topic", "ConfigurationKeys": []}],
                "IncludeSynonyms": True, "IncludeDocumentation": version >= 3})

    def wait_for_coordinators(self):
        # A fresh broker makes its internal topics first; error codes 14 and 15 until then.
        for _ in range(200):
            group = self.ask("FindCoordinator", 0, {"Key": "group"})
            producer = self.ask("InitProducerId", 0, {"TransactionalId": None, "TransactionTimeoutMs": 60000})
            if group[4:6] == b"\0\0" and producer[8:10] == b"\0\0":
                return
            time.sleep(0.1)
        raise SystemExit("no coordinator")

    def walk_topics(self):
        def topic(name, **more):
            return {"Name": name, "NumPartitions": 2, "ReplicationFactor": 1} | more

        retention = [{"Name": "retention.ms", "Value": "3600000"}]
        self.ask("CreateTopics", 7, {"Topics": [topic("golden", Configs=retention)], "timeoutMs": 5000})
        for version in self.versions("CreateTopics"):
            placed = [{"PartitionIndex": 0, "BrokerIds": [1]}]
            self.ask("CreateTopics", version, {"timeoutMs": 5000, "Topics": [
                topic(f"made{version}", Configs=retention),
                topic(f"placed{version}", NumPartitions=-1, ReplicationFactor=-1, Assignments=placed),
                topic("not/valid")]})
        for version in self.versions("CreatePartitions"):
            self.ask("CreatePartitions", version, {"TimeoutMs": 5000, "ValidateOnly": True, "Topics": [
                {"Name": "golden", "Count": 4, "Assignments": None},
                {"Name": "golden2", "Count": 3, "Assignments": [{"BrokerIds": [1]}]}]})
        for version in self.versions("DeleteTopics"):
            names = [f"made{version}", f"placed{version}", "missing"]
            self.ask("DeleteTopics", version, {"TimeoutMs": 5000, "TopicNames": names,
                                               "Topics": [{"Name": n} for n in names]})


    def walk_hints(self, batch):
        topic = {"Name": "hints", "Assignments": [{"PartitionIndex": 0, "BrokerIds": [2]}]}
        topic |= {"NumPartitions": -1, "ReplicationFactor": -1}
        self.ask("CreateTopics", 7, {"Topics": [topic], "timeoutMs": 5000})
        time.sleep(2)
        topic = {"Name": "hints", "Topic": "hints", "TopicId": self.topic_id("hints")}
        for version in range(10, 14):
            self.ask("Produce", version, {"Acks": -1, "TimeoutMs": 3000, "TopicData": [
                topic | {"PartitionData": [{"Index": 0, "Records": batch}]}]})
        for version in range(12, 19):
            self.ask("Fetch", version, {"MaxWaitMs": 10, "MinBytes": 1, "Topics": [
                topic | {"Partitions": [{"Partition": 0, "PartitionMaxBytes": 400}]}]})


    def said(self, api, version, values):
        """Asks, and what the answer says, as text."""
        response = self.ask(api, version, values)
        schema = self.schemas.find(self.schemas.key_of(api), "response")
        return Decoder(schema, version, response, Book.body_at(schema, None, version, "response", response)).message()

    def join(self, version, group):
        """Member id and generation, of the one member of a group."""
        # A subscription of the topic "golden", version 0.
        metadata = struct.pack(">hih6si", 0, 1, 6, b"golden", -1)
        values = {"GroupId": group, "SessionTimeoutMs": 45000, "RebalanceTimeoutMs": 1000, "ProtocolType": "consumer",
                  "Protocols": [{"Name": "range", "Metadata": metadata}], "MemberId": "", "Reason": "golden"}
        text = self.said("JoinGroup", version, values)
        member = re.search(r'[{ ]member_id: "([^"]*)"', text)[1]
        if "error_code: 79" in text:  # to be asked again with the id that was given
            text = self.said("JoinGroup", version, values | {"MemberId": member})
        return {"MemberId": member, "GenerationId": int(re.search(r"generation_id: (\d+)", text)[1])}

    def sync(self, version, group, member):
        assignment = struct.pack(">hih6siiii", 0, 1, 6, b"golden", 2, 0, 1, -1)
        self.ask("SyncGroup", version, member | {
            "GroupId": group, "ProtocolType": "consumer", "ProtocolName": "range",
            "Assignments": [{"MemberId": member["MemberId"], "Assignment": assignment}]})

    def walk_groups(self):
        self.ask("CreateTopics", 7, {"timeoutMs": 5000, "Topics": [
            {"Name": "golden", "NumPartitions": 2, "ReplicationFactor": 1}]})
        self.wait_for_coordinators()
        topic_id = self.topic_id("golden")
        for version in self.versions("JoinGroup"):
            self.join(version, f"join{version}")
        for version in self.versions("SyncGroup"):
            self.sync(version, f"sync{version}", self.join(9, f"sync{version}"))
        member = self.join(9, "group")
        self.sync(5, "group", member)
        for version in self.versions("Heartbeat"):
            self.ask("Heartbeat", version, member | {"GroupId": "group"})
        self.walk_offsets(member, {"Name": "golden", "TopicId": topic_id})
        self.walk_consumer_groups(topic_id)
        for version in self.versions("DescribeGroups"):
            self.ask("DescribeGroups", version, {"Groups": ["group", "absent"],
                                                 "IncludeAuthorizedOperations": version >= 3})
        for version in self.versions("ListGroups"):
            self.ask("ListGroups", version, {"StatesFilter": ["Stable"] if version >= 4 else [],
                                             "TypesFilter": ["consumer", "classic"] if version >= 5 else []})
        for version in self.versions("LeaveGroup"):
            left = self.join(9, f"left{version}")
            leaving = [{"MemberId": left["MemberId"], "Reason": "golden"}, {"MemberId": "nobody"}]
            self.ask("LeaveGroup", version, {"GroupId": f"left{version}", "MemberId": left["MemberId"],
                                             "Members": leaving})
        for version in self.versions("DeleteGroups"):
            self.ask("DeleteGroups", version, {"GroupsNames": [f"left{version}", "group", "absent"]})

    def walk_offsets(self, member, topic):
        for version in self.versions("OffsetCommit"):
            stored = [{"PartitionIndex": p, "CommittedOffset": 10 + version, "CommittedLeaderEpoch": 0,
                       "CommittedMetadata": note} for p, note in ((0, "note"), (1, None), (9, ""))]
            self.ask("OffsetCommit", version, {
                "GroupId": "group", "MemberId": member["MemberId"],
                "GenerationIdOrMemberEpoch": member["GenerationId"], "Topics": [topic | {"Partitions": stored}]})
        for version in self.versions("OffsetFetch"):
            topics = [topic | {"PartitionIndexes": [0, 1, 9]}]
            groups = [{"GroupId": "group", "Topics": topics}, {"GroupId": "absent", "Topics": None}]
            self.ask("OffsetFetch", version, {"GroupId": "group", "Topics": topics, "Groups": groups,
                                              "RequireStable": version >= 7})
        self.ask("OffsetDelete", 0, {"GroupId": "group", "Topics": [
            {"Name": "golden", "Partitions": [{"PartitionIndex": 0}]},
            {"Name": "missing", "Partitions": [{"PartitionIndex": 0}]}]})

    def walk_consumer_groups(self, topic_id):
        for version in self.versions("ConsumerGroupHeartbeat"):
            group, member = f"consumer{version}", "bWVtYmVyIG9mIGdvbGQh"
            self.ask("ConsumerGroupHeartbeat", version, {
                "GroupId": group, "MemberId": member, "MemberEpoch": 0, "InstanceId": "one", "RackId": "rack",
                "RebalanceTimeoutMs": 5000, "SubscribedTopicNames": ["golden"], "ServerAssignor": "uniform",
                "SubscribedTopicRegex": "gold.*" if version >= 1 else None, "TopicPartitions": []})
        groups = [f"consumer{v}" for v in self.versions("ConsumerGroupHeartbeat")] + ["absent"]
        for version in self.versions("ConsumerGroupDescribe"):
            self.ask("ConsumerGroupDescribe", version, {"GroupIds": groups, "IncludeAuthorizedOperations": True})


def stored_batch():
    """A batch that the Java client wrote, from the golden records."""
    lines = (HERE.parent / "records" / "java_v2_plain.hex").read_text().splitlines()
    return bytes.fromhex("".join(line[4:] for line in lines if line.startswith("hex ")))


def run_kcat(port):
    broker = f"127.0.0.1:{port}"
    idempotent = ["-X", "enable.idempotence=true"]
    for extra in ([], idempotent, ["-z", "gzip"]):
        subprocess.run(["kcat", "-q", "-b", broker, "-P", "-t", "golden", "-p", "1", *extra], check=True,
                       input=b"one\ntwo\nthree\n", timeout=60)
    subprocess.run(["kcat", "-q", "-b", broker, "-C", "-t", "golden", "-o", "beginning", "-e"], check=True,
                   stdout=subprocess.DEVNULL, timeout=60)
    subprocess.run(["kcat", "-q", "-b", broker, "-Q", "-t", "golden:0:-1"], check=True,
                   stdout=subprocess.DEVNULL, timeout=60)
    subprocess.run(["kcat", "-q", "-b", broker, "-L", "-t", "golden"], check=True,
                   stdout=subprocess.DEVNULL, timeout=60)
    subprocess.run(["kcat", "-q", "-b", broker, "-G", "golden-kcat", "-e", "-o", "beginning", "golden"],
                   stdout=subprocess.DEVNULL, timeout=60)


PYTHON = """
import sys, kafka
from kafka.admin import KafkaAdminClient, NewTopic, NewPartitions, ConfigResource, ConfigResourceType
broker = sys.argv[1]
admin = KafkaAdminClient(bootstrap_servers=broker)
admin.create_topics([NewTopic("python-golden", 1, 1)])
producer = kafka.KafkaProducer(bootstrap_servers=broker, compression_type="gzip", linger_ms=20)
for n in range(20):
    producer.send("python-golden", key=b"k%d" % n, value=b"value %d" % n, headers=[("h", b"v")])
producer.flush(); producer.close()
consumer = kafka.KafkaConsumer("python-golden", bootstrap_servers=broker, auto_offset_reset="earliest",
                               group_id="python-golden", consumer_timeout_ms=6000)
print(len(list(consumer)))
partition = kafka.TopicPartition("python-golden", 0)
consumer.end_offsets([partition]); consumer.close()
admin.delete_topics(["python-golden"]); admin.close()
"""


def main(arguments):
    if arguments[:1] == ["--hints"]:
        book = Book(Schemas(arguments[1]))
        Walker(book.schemas, int(arguments[2]), book).walk_hints(stored_batch())
        book.write("hints")
        return
    if arguments[:1] == ["--groups"]:
        book = Book(Schemas(arguments[1]), GROUP_APIS)
        Walker(book.schemas, int(arguments[2]), book).walk_groups()
        book.write("groups")
        return
    if len(arguments) not in (2, 3, 4):
        raise SystemExit(__doc__)
    schemas, port = Schemas(arguments[0]), int(arguments[1])
    recorder = Recorder(port + 1, port)

    book = Book(schemas)
    Walker(schemas, port, book).walk(stored_batch())
    book.write("walk")

    recorder.book = Book(schemas)
    run_kcat(port + 1)
    recorder.book.write("librdkafka")

    if len(arguments) > 2:
        recorder.book = Book(schemas)
        subprocess.run(["java", "-cp", arguments[2], str(HERE / "Clients.java"), f"127.0.0.1:{port + 1}"],
                       check=True, timeout=120)
        recorder.book.write("java")
    if len(arguments) > 3:
        recorder.book = Book(schemas)
        subprocess.run([arguments[3], "-c", PYTHON, f"127.0.0.1:{port + 1}"], check=True, timeout=120)
        recorder.book.write("python")


if __name__ == "__main__":
    main(sys.argv[1:])
