#!/usr/bin/env python3
"""What a real group coordinator answers, and whether the embedded one answers the same.

  group_answers.py record HOST:PORT   asks Apache Kafka (one node, group.initial.rebalance.delay.ms=0) and
                                      writes tests/golden/groups/answers.txt
  group_answers.py check HOST:PORT    asks the embedded broker and compares

The questions are right and wrong requests of members in every state of a group, classic and KIP-848,
written and read by Kafka's own schemas (tests/golden/frames/kafka_schema.py), not by tern's codecs. Names
and ids are put for what differs from run to run; texts for people and the order of lists are left out.
"""
import pathlib
import re
import socket
import struct
import subprocess
import sys
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
ANSWERS = HERE.parent / "golden/groups/answers.txt"
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "golden/frames"))
from kafka_schema import Decoder, Encoder, Schemas, covers  # noqa: E402


def clients_jar():
    found = subprocess.run([HERE.parent / "real/kafka.sh", "clients-jar"], capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


def number(text, field):
    return int(re.search(field + r": (-?\d+)", text).group(1))


def string(text, field):
    return re.search(field + r': "([^"]*)"', text).group(1)


class Connection:
    def __init__(self, schemas, address):
        host, port = address.rsplit(":", 1)
        self.schemas, self.waiting = schemas, None
        self.socket = socket.create_connection((host, int(port)), timeout=20)

    def send(self, api, version, values):
        schema = self.schemas.find(self.schemas.key_of(api), "request")
        client = b"asker"
        frame = struct.pack(">hhih", self.schemas.key_of(api), version, 1, len(client)) + client
        frame += b"\0" if covers(schema["flexibleVersions"], version) else b""
        frame += Encoder(schema, version).message(values)
        self.waiting = (api, version)
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)

    def receive(self):
        api, version = self.waiting
        schema = self.schemas.find(self.schemas.key_of(api), "response")
        frame = self.take(struct.unpack(">i", self.take(4))[0])
        return Decoder(schema, version, frame, 5 if covers(schema["flexibleVersions"], version) else 4).message()

    def take(self, n):
        data = b""
        while len(data) < n:
            piece = self.socket.recv(n - len(data))
            if not piece:
                raise EOFError("the connection was closed")
            data += piece
        return data

    def ask(self, api, version, values):
        self.send(api, version, values)
        return self.receive()


class Questions:
    """Asks, and keeps the answers under what was asked."""

    def __init__(self, address, patience):
        self.schemas, self.address, self.patience = Schemas(clients_jar()), address, patience
        self.answers, self.names = {}, {}
        run = uuid.uuid4().hex[:8]
        self.group, self.topic = "group-" + run, "t-" + run[:6]  # short: long bytes are not printed whole
        self.main = self.connect()
        self.main.ask("CreateTopics", 7, {"timeoutMs": 5000, "Topics": [
            {"Name": self.topic, "NumPartitions": 4, "ReplicationFactor": 1}]})
        while number(self.main.ask("FindCoordinator", 4, {"CoordinatorKeys": [self.group]}), "error_code"):
            time.sleep(0.1)
        time.sleep(patience)
        described = self.main.ask("Metadata", 12, {"Topics": [{"Name": self.topic}]})
        self.topic_id = uuid.UUID(re.search(r"topic_id: ([0-9a-f-]{36})", described).group(1))
        self.names |= {self.group: "GROUP", self.topic: "TOPIC", str(self.topic_id): "ID"}
        name = self.topic.encode()
        self.subscription = (struct.pack(">hih", 3, 1, len(name)) + name + b"\xff" * 4 + b"\0" * 4 + b"\xff" * 6)
        self.names["0x" + self.subscription.hex()] = "SUBSCRIPTION"
        for half in ([0, 1], [2, 3]):
            self.assignment(half)

    def connect(self):
        return Connection(self.schemas, self.address)

    def keep(self, what, text):
        for value, name in self.names.items():
            text = text.replace(value, name)
        varies = r'throttle_time_ms: \d+|heartbeat_interval_ms: [1-9]\d*|error_message: ("[^"]*"|null)'
        text = re.sub(varies, "", text)
        assert what not in self.answers, what
        self.answers[what] = " ".join(sorted(part.strip() for part in re.split(r"[{}\[\],]", text) if part.strip()))

    def learn(self, text, name):
        found = string(text, "member_id")
        self.names[found] = name
        return found

    def assignment(self, partitions, more=b""):
        name = self.topic.encode()
        data = struct.pack(">hih", 3, 1, len(name)) + name + struct.pack(">i", len(partitions))
        data += struct.pack(">%di" % len(partitions), *partitions)
        data += struct.pack(">i", len(more) or -1) + more
        shown = data.hex() if len(data) <= 32 else "%s... (%d bytes)" % (data[:32].hex(), len(data))
        self.names["0x" + shown] = "ASSIGNMENT" + "".join("-%d" % p for p in partitions)
        return data

    # ------------------------------------------------------------------------------ single requests

    def join(self, member="", group=None, connection=None, **other):
        values = {"GroupId": self.group if group is None else group, "SessionTimeoutMs": 10000,
                  "RebalanceTimeoutMs": 5000, "MemberId": member, "GroupInstanceId": None,
                  "ProtocolType": "consumer", "Protocols": [{"Name": "range", "Metadata": self.subscription}]}
        connection = connection or self.main
        connection.send("JoinGroup", 9, values | other)
        return connection

    def joined(self, *args, **others):
        return self.join(*args, **others).receive()

    def sync(self, member, generation, assignments=(), connection=None, **other):
        values = {"GroupId": self.group, "GenerationId": generation, "MemberId": member, "GroupInstanceId": None,
                  "ProtocolType": "consumer", "ProtocolName": "range",
                  "Assignments": [{"MemberId": m, "Assignment": a} for m, a in assignments]}
        connection = connection or self.main
        connection.send("SyncGroup", 5, values | other)
        return connection

    def synced(self, *args, **others):
        return self.sync(*args, **others).receive()

    def heartbeat(self, member, generation, **other):
        return self.main.ask("Heartbeat", 4, {"GroupId": self.group, "GenerationId": generation, "MemberId": member,
                                              "GroupInstanceId": None} | other)

    def commit(self, member, generation, version=9, partition=0, topic=None, topic_id=None, metadata="", **other):
        partitions = [{"PartitionIndex": partition, "CommittedOffset": 5, "CommittedMetadata": metadata}]
        return self.main.ask("OffsetCommit", version, {
            "GroupId": self.group, "GenerationIdOrMemberEpoch": generation, "MemberId": member,
            "GroupInstanceId": None, "Topics": [{"Name": topic or self.topic, "TopicId": topic_id or self.topic_id,
                                                 "Partitions": partitions}]} | other)

    def fetch(self, member, epoch, group=None, version=9, topic_id=None, partition=0):
        return self.main.ask("OffsetFetch", version, {"Groups": [{
            "GroupId": group or self.group, "MemberId": member, "MemberEpoch": epoch, "Topics": [
                {"Name": self.topic, "TopicId": topic_id or self.topic_id, "PartitionIndexes": [partition]}]}]})

    def describe(self, group=None, version=6):
        return self.main.ask("DescribeGroups", version, {"Groups": [group or self.group]})

    def leave(self, version, *members, **other):
        return self.main.ask("LeaveGroup", version, {"GroupId": self.group, "Members": list(members)} | other)

    def delete_offset(self, group, topic, partition=0):
        return self.main.ask("OffsetDelete", 0, {"GroupId": group, "Topics": [
            {"Name": topic, "Partitions": [{"PartitionIndex": partition}]}]})

    def beat(self, member, epoch, everything=True, owned=None, **other):
        values = {"GroupId": self.group, "MemberId": member, "MemberEpoch": epoch, "InstanceId": None, "RackId": None,
                  "RebalanceTimeoutMs": -1, "SubscribedTopicNames": None, "SubscribedTopicRegex": None,
                  "ServerAssignor": None, "TopicPartitions": None}
        if everything:
            values |= {"RebalanceTimeoutMs": 20000, "SubscribedTopicNames": [self.topic], "TopicPartitions": []}
        if owned:
            values["TopicPartitions"] = [{"TopicId": self.topic_id, "Partitions": owned}]
        return self.main.ask("ConsumerGroupHeartbeat", 1, values | other)


# -------------------------------------------------------------------------------------- classic groups

def ask_without_group(q):
    q.keep("heartbeat without a group", q.heartbeat("nobody", 1))
    q.keep("sync without a group", q.synced("nobody", 1))
    q.keep("join with an id that was not given out", q.joined("nobody"))
    q.keep("leave without a group", q.leave(5, {"MemberId": "nobody"}))
    q.keep("leave without a group, alone", q.leave(2, MemberId="nobody"))
    q.keep("commit of a generation without a group, 8", q.commit("nobody", 3, 8))
    q.keep("commit of a generation without a group, 9", q.commit("nobody", 3))
    q.keep("describe without a group, 5", q.describe(version=5))
    q.keep("describe without a group, 6", q.describe())
    q.keep("delete without a group", q.main.ask("DeleteGroups", 2, {"GroupsNames": [q.group]}))
    q.keep("delete offsets without a group", q.delete_offset(q.group, q.topic))
    q.keep("fetch without a group", q.fetch(None, -1))
    q.keep("group without a name: join", q.joined(group=""))
    q.keep("group without a name: sync", q.synced("nobody", 1, GroupId=""))
    q.keep("group without a name: heartbeat", q.heartbeat("nobody", 1, GroupId=""))
    q.keep("group without a name: leave", q.leave(5, GroupId=""))
    q.keep("group without a name: commit", q.commit("", -1, GroupId=""))
    q.keep("session timeout too short", q.joined(SessionTimeoutMs=100))
    q.keep("no protocols", q.joined(Protocols=[]))
    q.keep("no protocol type", q.joined(ProtocolType=""))
    simple = q.group + "-simple"
    q.keep("commit for oneself", q.commit("", -1, GroupId=simple))
    q.keep("commit of no such partition", q.commit("", -1, partition=9, GroupId=simple))
    q.keep("commit of no such topic", q.commit("", -1, topic=q.topic + "-not", GroupId=simple))
    q.keep("commit of no such topic id", q.commit("", -1, 10, topic_id=uuid.UUID(int=5), GroupId=simple))
    q.keep("commit of long metadata", q.commit("", -1, metadata="x" * 5000, GroupId=simple))
    q.keep("fetch of no such topic id", q.fetch(None, -1, simple, 10, topic_id=uuid.UUID(int=5)))
    q.keep("describe a group for offsets alone", q.describe(simple))
    q.keep("no such kind of coordinator", q.main.ask("FindCoordinator", 4, {"KeyType": 7, "CoordinatorKeys": ["x"]}))


def ask_first_member(q):
    answer = q.joined()
    leader = q.learn(answer, "leader")
    q.keep("a first member", answer)
    answer = q.joined(leader)
    q.keep("it comes again", answer)
    generation = number(answer, "generation_id")
    q.keep("completing: commit", q.commit(leader, generation))
    q.keep("completing: heartbeat", q.heartbeat(leader, generation))
    q.keep("completing: join again", q.joined(leader))
    q.keep("completing: describe", q.describe())
    q.keep("sync of another generation", q.synced(leader, generation + 1))
    q.keep("sync without a protocol", q.synced(leader, generation, ProtocolType=None, ProtocolName=None))
    q.keep("sync of another protocol", q.synced(leader, generation, ProtocolName="sticky"))
    q.keep("sync", q.synced(leader, generation, [(leader, b"mine")]))
    q.keep("stable: sync", q.synced(leader, generation))
    q.keep("stable: commit", q.commit(leader, generation))
    q.keep("stable: commit for oneself", q.commit("", -1))
    q.keep("stable: commit of another generation", q.commit(leader, generation + 1))
    q.keep("stable: commit without a generation", q.commit(leader, -1))
    q.keep("stable: commit of somebody else", q.commit("nobody", generation))
    q.keep("stable: heartbeat of another generation", q.heartbeat(leader, generation + 1))
    q.keep("stable: heartbeat of somebody else", q.heartbeat("nobody", generation))
    q.keep("stable: heartbeat with an instance id", q.heartbeat(leader, generation, GroupInstanceId="one"))
    q.keep("stable: delete offsets of a topic that is read", q.delete_offset(q.group, q.topic))
    q.keep("stable: delete", q.main.ask("DeleteGroups", 2, {"GroupsNames": [q.group]}))
    q.keep("stable: join with another protocol", q.joined(Protocols=[{"Name": "sticky", "Metadata": b""}]))
    q.keep("stable: join with another protocol type", q.joined(ProtocolType="connect"))
    return leader, generation


def ask_static_members(q, leader, generation):
    second = q.join(GroupInstanceId="one", connection=q.connect())
    time.sleep(0.3)
    q.keep("preparing: heartbeat", q.heartbeat(leader, generation))
    q.keep("preparing: commit", q.commit(leader, generation))
    q.keep("preparing: sync", q.synced(leader, generation))
    answer, waited = q.joined(leader), second.receive()
    static = q.learn(waited, "static")
    q.keep("two members: the leader joins", answer)
    q.keep("two members: the other one joins", waited)
    generation = number(answer, "generation_id")
    q.sync(static, generation, GroupInstanceId="one", connection=second)
    time.sleep(0.2)
    q.keep("two members: the leader syncs", q.synced(leader, generation, [(leader, b"a"), (static, b"b")]))
    q.keep("two members: the other one syncs", second.receive())
    q.keep("two members: describe", q.describe())
    q.keep("a static member without its instance id", q.heartbeat(static, generation))
    q.keep("somebody else with its instance id", q.heartbeat(leader, generation, GroupInstanceId="one"))
    answer = q.joined(GroupInstanceId="one")
    again = q.learn(answer, "static again")
    q.keep("a static member restarts", answer)
    q.keep("what it was before has no instance id", q.heartbeat(static, generation))
    q.keep("what it was before has its instance id", q.heartbeat(static, generation, GroupInstanceId="one"))
    q.keep("a static member syncs", q.synced(again, generation, GroupInstanceId="one"))
    q.keep("a follower joins again", q.joined(again, GroupInstanceId="one"))
    q.keep("list", q.main.ask("ListGroups", 5, {"StatesFilter": ["stable"], "TypesFilter": ["CLASSIC"]}))
    q.keep("leave by instance id", q.leave(5, {"MemberId": "", "GroupInstanceId": "one"},
                                           {"MemberId": "", "GroupInstanceId": "two"}, {"MemberId": "nobody"}))
    q.keep("one is gone: heartbeat", q.heartbeat(leader, generation))
    q.keep("an instance id nobody has", q.joined("nobody", GroupInstanceId="two"))


def ask_empty_group(q, leader):
    answer = q.joined(leader)
    q.keep("alone again", answer)
    generation = number(answer, "generation_id")
    q.keep("the last one leaves", q.leave(1, MemberId=leader))
    q.keep("empty: describe", q.describe())
    q.keep("empty: join with an old id", q.joined(leader))
    q.keep("empty: heartbeat", q.heartbeat(leader, generation))
    q.keep("empty: commit of an old member", q.commit(leader, generation))
    q.keep("empty: commit for oneself", q.commit("", -1))
    q.keep("empty: fetch", q.fetch("nobody", 4))
    q.keep("empty: fetch what is not there", q.fetch("nobody", 4, partition=3))
    q.keep("empty: fetch all", q.main.ask("OffsetFetch", 7, {"GroupId": q.group, "Topics": None}))
    q.keep("empty: delete offsets", q.delete_offset(q.group, q.topic))
    q.keep("empty: delete offsets of no such partition", q.delete_offset(q.group, q.topic, 9))
    q.keep("empty: delete, twice", q.main.ask("DeleteGroups", 2, {"GroupsNames": [q.group, q.group]}))


# --------------------------------------------------------------------------------------------- KIP-848

def ask_modern_forms(q):
    q.keep("KIP-848: heartbeat without a group", q.beat("a", 3, False))
    q.keep("KIP-848: leave without a group", q.beat("a", -1, False))
    q.keep("KIP-848: no member id", q.beat("", 0))
    q.keep("KIP-848: no topics", q.beat("a", 0, SubscribedTopicNames=None))
    q.keep("KIP-848: partitions at the beginning", q.beat("a", 0, owned=[1]))
    q.keep("KIP-848: no rebalance timeout", q.beat("a", 0, RebalanceTimeoutMs=-1))
    q.keep("KIP-848: no such assignor", q.beat("a", 0, ServerAssignor="sticky"))
    q.keep("KIP-848: no such epoch", q.beat("a", -3))
    q.keep("KIP-848: away without an instance id", q.beat("a", -2, False))
    q.keep("KIP-848: no pattern", q.beat("a", 0, SubscribedTopicRegex="("))
    q.keep("KIP-848: empty instance id", q.beat("a", 0, InstanceId=""))


def beat(q, what, *args, **others):
    answer = q.beat(*args, **others)
    q.keep(what, answer)
    return number(answer, "member_epoch"), answer


def ask_modern_members(q):
    def modern(what, *args, **others):
        return beat(q, "KIP-848: " + what, *args, **others)

    first, _ = modern("a joins", "a", 0)
    time.sleep(q.patience)
    a = number(q.beat("a", first, False), "member_epoch")
    modern("a says everything", "a", a, owned=[0, 1, 2, 3])
    modern("a in a later epoch", "a", a + 1, False)
    modern("b in an epoch without joining", "b", 2, False)
    b = number(q.beat("b", 0), "member_epoch")
    time.sleep(q.patience)
    b, _ = modern("b waits", "b", b, False)
    _, told = modern("a has to let go", "a", a, False)
    kept = [int(n) for n in re.search(r"partitions: \[([\d, ]*)\]", told).group(1).split(", ")]
    modern("a does not say what it has", "a", a, False)
    old, (a, _) = a, modern("a has let go", "a", a, owned=kept)
    modern("a has not got the answer", "a", old, owned=kept)
    modern("a duplicate", "a", old, False)
    b, _ = modern("b is given them", "b", b, False)
    q.keep("KIP-848: describe", q.main.ask("ConsumerGroupDescribe", 1, {"GroupIds": [q.group]}))
    q.keep("KIP-848: describe as classic", q.describe())
    for what, member, epoch, version in (("", "a", a, 9), (" in an older epoch", "a", old, 9),
                                         (" in a later epoch", "a", a + 1, 9), (" by nobody", "c", a, 9),
                                         (" in an older version", "a", a, 8), (" for oneself", "", -1, 9)):
        q.keep("KIP-848: commit" + what, q.commit(member, epoch, version, kept[0]))
    q.keep("KIP-848: commit in an epoch before it had it", q.commit("b", b - 1, 9, ({0, 1, 2, 3} - set(kept)).pop()))
    for what, member, epoch in (("", "a", a), (" in an older epoch", "a", a - 1), (" by nobody", "c", a),
                                (" for oneself", None, -1)):
        q.keep("KIP-848: fetch" + what, q.fetch(member, epoch, partition=kept[0]))
    q.keep("KIP-848: classic heartbeat", q.heartbeat("a", a))
    q.keep("KIP-848: delete", q.main.ask("DeleteGroups", 2, {"GroupsNames": [q.group]}))
    q.keep("KIP-848: delete offsets of a topic that is read", q.delete_offset(q.group, q.topic))


def ask_modern_static(q):
    one = {"InstanceId": "one"}
    epoch = number(q.beat("s", 0, **one), "member_epoch")
    q.keep("KIP-848: an instance id that is in use", q.beat("s2", 0, **one))
    q.keep("KIP-848: somebody else with the instance id", q.beat("s2", epoch, False, **one))
    q.keep("KIP-848: somebody else leaves with the instance id", q.beat("s2", -1, False, **one))
    q.keep("KIP-848: a static member is away", q.beat("s", -2, False, **one))
    q.beat("s2", 0, **one)
    q.keep("KIP-848: its place is taken", q.beat("s", epoch, False, **one))
    q.keep("KIP-848: leave", q.beat("b", -1, False))
    q.keep("KIP-848: leave again", q.beat("b", -1, False))
    q.beat("a", -1, False)
    q.keep("KIP-848: the last one leaves", q.beat("s2", -1, False))
    q.keep("KIP-848: empty: commit for oneself", q.commit("", -1))


# ---------------------------------------------------------------------------- both protocols in a group

def ask_mixed_upgrade(q):
    answer = q.joined()
    classic = q.learn(answer, "classic")
    generation = number(q.joined(classic), "generation_id")
    q.synced(classic, generation, [(classic, q.assignment([0, 1, 2, 3]))])
    _, told = beat(q, "mixed: a joins a classic group", "a", 0)
    epoch = number(told, "member_epoch")
    q.keep("mixed: describe as classic", q.describe())
    q.keep("mixed: heartbeat", q.heartbeat(classic, generation))
    q.keep("mixed: heartbeat of another generation", q.heartbeat(classic, generation + 5))
    q.keep("mixed: heartbeat of a in the classic form", q.heartbeat("a", epoch))
    q.keep("mixed: sync", q.synced(classic, generation))
    q.keep("mixed: commit", q.commit(classic, generation))
    q.keep("mixed: join with another protocol type", q.joined(classic, ProtocolType="connect"))
    q.keep("mixed: join with another protocol", q.joined(classic, Protocols=[{"Name": "x", "Metadata": b""}]))
    q.keep("mixed: join without a subscription", q.joined(classic, Protocols=[{"Name": "range", "Metadata": b"\1"}]))
    answer = q.joined(classic)
    q.keep("mixed: join", answer)
    generation = number(answer, "generation_id")
    q.keep("mixed: sync of another protocol", q.synced(classic, generation, ProtocolName="sticky"))
    q.keep("mixed: sync of another generation", q.synced(classic, generation + 1))
    q.keep("mixed: sync after join", q.synced(classic, generation))
    q.keep("mixed: heartbeat after sync", q.heartbeat(classic, generation))
    beat(q, "mixed: a is given the rest", "a", epoch, False)
    q.keep("mixed: describe", q.main.ask("ConsumerGroupDescribe", 1, {"GroupIds": [q.group]}))
    for what, later, version in (("", 0, 9), (" in an older generation", -1, 9), (" in a later generation", 1, 9),
                                 (" in an older version", 0, 8)):
        q.keep("mixed: commit in the group%s" % what, q.commit(classic, generation + later, version))
    q.keep("mixed: fetch", q.fetch(classic, generation))
    q.keep("mixed: fetch in an older generation", q.fetch(classic, generation - 1))
    q.keep("mixed: a leaves", q.beat("a", -1, False))
    q.keep("mixed: describe without a", q.describe())
    q.keep("mixed: heartbeat without a", q.heartbeat(classic, generation))
    q.keep("mixed: join without a", q.joined(classic))
    q.leave(5, {"MemberId": classic})


def ask_mixed_downgrade(q):
    epoch = number(q.beat("b", 0), "member_epoch")
    time.sleep(q.patience)
    epoch = number(q.beat("b", epoch, False), "member_epoch")
    q.beat("b", epoch, owned=[0, 1, 2, 3])
    answer = q.joined()
    classic = q.learn(answer, "newcomer")
    q.keep("mixed: a classic member joins", answer)
    q.joined(classic)
    time.sleep(q.patience)
    answer = q.joined(classic)
    generation = number(answer, "generation_id")
    q.keep("mixed: it joins again", answer)
    q.keep("mixed: it is given nothing yet", q.synced(classic, generation))
    q.keep("mixed: heartbeat while another has them", q.heartbeat(classic, generation))
    beat(q, "mixed: b has to let go", "b", epoch, False)
    beat(q, "mixed: b has let go", "b", epoch, owned=[0, 1])
    q.keep("mixed: heartbeat when they are free", q.heartbeat(classic, generation))
    q.joined(classic)
    q.keep("mixed: they are given", q.synced(classic, generation))
    q.keep("mixed: send away", q.leave(5, {"MemberId": "b"}, {"MemberId": "nobody"}))
    q.keep("mixed: b is not in it any more", q.beat("b", epoch + 1, False))
    q.leave(5, {"MemberId": classic})


def ask_mixed_static(q):
    answer = q.joined(GroupInstanceId="one")
    classic = q.learn(answer, "one as classic")
    generation = number(answer, "generation_id")
    q.synced(classic, generation, [(classic, q.assignment([0, 1, 2, 3]))], GroupInstanceId="one")
    q.keep("mixed: an instance id moves on", q.beat("c", 0, InstanceId="one"))
    q.keep("mixed: its old self", q.heartbeat(classic, generation, GroupInstanceId="one"))
    answer = q.joined(GroupInstanceId="one")
    q.learn(answer, "one again")
    q.keep("mixed: it comes back", answer)
    q.keep("mixed: describe it", q.describe())
    q.leave(5, {"MemberId": "", "GroupInstanceId": "one"})


def ask_mixed_refused(q):
    garbled = [{"Name": "range", "Metadata": b"\1"}]
    member = string(q.joined(Protocols=garbled), "member_id")
    q.joined(member, Protocols=garbled)
    q.keep("mixed: a joins who cannot be understood", q.beat("a", 0))
    q.leave(5, {"MemberId": member})
    member = string(q.joined(), "member_id")
    generation = number(q.joined(member), "generation_id")
    q.synced(member, generation, [(member, q.assignment([0], b"more"))])
    q.keep("mixed: a joins who are told more than partitions", q.beat("a", 0))
    q.leave(5, {"MemberId": member})
    member = string(q.joined(ProtocolType="connect"), "member_id")
    q.joined(member, ProtocolType="connect")
    q.keep("mixed: a joins who are no consumers", q.beat("a", 0))
    q.leave(5, {"MemberId": member})
    q.beat("a", 0)
    q.beat("a", -1, False)
    q.keep("mixed: an old id in an empty group", q.joined("nobody"))
    member = q.learn(q.joined(), "first again")
    q.keep("mixed: a group of its own again", q.joined(member))


def ask_all(address, patience=0.0):
    q = Questions(address, patience)
    base = q.group
    ask_without_group(q)
    leader, generation = ask_first_member(q)
    ask_static_members(q, leader, generation)
    ask_empty_group(q, leader)
    q.group += "-modern"
    ask_modern_forms(q)
    ask_modern_members(q)
    ask_modern_static(q)
    for ask in (ask_mixed_upgrade, ask_mixed_downgrade, ask_mixed_static, ask_mixed_refused):
        q.group = "%s-%s" % (base, ask.__name__.removeprefix("ask_mixed_"))
        ask(q)
    return q.answers


def record(address):
    ANSWERS.parent.mkdir(exist_ok=True)
    ANSWERS.write_text("".join("%s\n    %s\n" % each for each in ask_all(address, patience=1.5).items()))


def compare(address):
    """The questions that are answered otherwise, with both answers, and how many there are."""
    lines = ANSWERS.read_text().splitlines()
    theirs = dict(zip(lines[::2], (line.strip() for line in lines[1::2])))
    ours = ask_all(address)
    return [(what, theirs.get(what), ours.get(what)) for what in {**theirs, **ours}
            if theirs.get(what) != ours.get(what)], len(theirs)


def main(args):
    if len(args) == 2 and args[0] == "record":
        record(args[1])
        return 0
    if len(args) == 2 and args[0] == "check":
        different, count = compare(args[1])
        for what, theirs, ours in different:
            print("%s\n  Kafka %s\n  ours  %s" % (what, theirs, ours))
        print("%d of %d answers differ" % (len(different), count))
        return 1 if different else 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
