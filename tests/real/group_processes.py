#!/usr/bin/env python3
"""Groups of tern members that are processes of their own, at a real Kafka 4.

  group_processes.py SERVERS GROUP_MEMBER [--only mixed|rough] [--seconds N]
  group_processes.py SERVERS GROUP_MEMBER --figures

GROUP_MEMBER is //tests/real:group_member. Two parts, side by side:

mixed: members of tern, librdkafka, kafka-python and Java join one after the other, share the partitions,
read what is produced, and the first one, who has led the group so far, leaves; eager, cooperative and
KIP-848. Every record is read once, and everything is committed in the end.

rough: tern members that are killed (kill -9), frozen for longer than their session, closed and started,
while records are produced, N seconds long. Every record is read; what is stored never goes back and is
never more than what was read; each time a member is given a partition it reads on without a gap and
without reading anything twice. How long rebalances took is printed.

--figures prints instead: how long partitions that stay with their member are not read while a fourth
member joins a cooperative group of 100 partitions; and what a member of 1,000 idle partitions takes.

Brokers' own timeouts are long in groups of KIP-848: give the broker
  --set group.consumer.min.session.timeout.ms=3000 --set group.consumer.session.timeout.ms=6000
  --set group.consumer.min.heartbeat.interval.ms=200 --set group.consumer.heartbeat.interval.ms=500
Wants the Python environment of tests/broker/peers.py; whatever is not installed is skipped, loudly. The
last line says how many checks passed, failed and were skipped; the exit code is 0 if none failed.
"""
import argparse
import json
import pathlib
import queue
import random
import signal
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "broker"))
import group_peers  # noqa: E402
from checks import check, finish, lock, skip  # noqa: E402

KAFKA = HERE / "kafka.sh"
RUN = "%08x" % random.SystemRandom().getrandbits(32)
PARTITIONS, RECORDS = 6, 300
PATIENCE = 60  # seconds for anything: a busy machine takes its time, an idle one does not


# ---------------------------------------------------------------------------------- members
# values(): what was read since the last call, owned(): number of partitions, commit(), close(), which
# returns what was read until then. The value of a record is its offset and partition, put together.

def value(partition, offset):
    return offset * PARTITIONS + partition


class Lines:
    """A process that says what it does, line by line."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        **options)
        self.mutex, self.seen, self.partitions, self.answers = threading.Lock(), [], set(), queue.Queue()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            with self.mutex:
                self.take(line)

    def values(self):
        with self.mutex:
            seen, self.seen = self.seen, []
            return seen

    def owned_now(self):
        with self.mutex:
            return set(self.partitions)

    def owned(self):
        return len(self.owned_now())

    def end(self):
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.thread.join(PATIENCE)
        return self.values()


class TernMember(Lines):
    def __init__(self, program, servers, topic, group, options, session=10):
        # Per partition, where the next read has to begin, since it has been given to this member.
        self.next, self.wrong = {}, []
        super().__init__([program, "brokers=" + servers, "topic=" + topic, "group=" + group, "heartbeat_ms=500",
                          "session_ms=%d" % (session * 1000), "auto_commit_ms=100", *options])

    def take(self, line):
        what, *rest = line.split()
        if what == "read":
            partition, first, count = map(int, rest)
            if self.next.get(partition, first) != first:
                self.wrong.append("%d reads %s, not at %d" % (self.process.pid, line.strip(), self.next[partition]))
            if partition in self.partitions:  # not what was under way when it went
                self.next[partition] = first + count
            self.on_read(partition, first, count)
        elif what == "owns":
            before, self.partitions = self.partitions, set(map(int, rest))
            self.next = {p: offset for p, offset in self.next.items() if p in before & self.partitions}
        else:
            self.answers.put(line)

    def on_read(self, partition, first, count):
        self.seen += [value(partition, first + i) for i in range(count)]

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()

    def commit(self):
        self.ask("commit")
        answer = self.answers.get(timeout=PATIENCE)
        if answer.strip() != "committed":
            raise RuntimeError(answer)

    def close(self):
        self.ask("close")
        seen = self.end()
        if self.process.returncode != 0:
            raise RuntimeError("group_member ends with %d" % self.process.returncode)
        return seen


class JavaMember(Lines):
    """Kafka's own VerifiableConsumer, which commits whatever a poll has brought."""

    def __init__(self, servers, topic, group, options):
        super().__init__([str(KAFKA), "tool", "VerifiableConsumer", "--", "--bootstrap-server", servers,
                          "--topic", topic, "--group-id", group, "--reset-policy", "earliest", *options],
                         stderr=subprocess.DEVNULL)

    def take(self, line):
        if not line.startswith("{"):
            return
        said = json.loads(line)
        partitions = [each["partition"] for each in said.get("partitions", []) if "partition" in each]
        if said["name"] == "partitions_assigned":
            self.partitions |= set(partitions)
        elif said["name"] == "partitions_revoked":
            self.partitions -= set(partitions)
        elif said["name"] == "records_consumed":
            for each in said["partitions"]:
                self.seen += [value(each["partition"], offset)
                              for offset in range(each["minOffset"], each["maxOffset"] + 1)]

    def commit(self):
        pass

    def close(self):
        self.process.terminate()
        return self.end()


class Polled:
    """A client in this process, with a thread that polls it: none of them may be used by two."""

    def __init__(self, make):
        self.make, self.mutex, self.seen, self.share = make, threading.Lock(), [], 0
        self.asked, self.answered, self.closing = queue.Queue(), queue.Queue(), False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        member = self.make()
        while not self.closing:
            values = [int(each) for each in member.poll()]
            with self.mutex:
                self.seen += values
                self.share = member.owned()
            if not self.asked.empty():
                self.answered.put(self.answer(member, self.asked.get()))

    def answer(self, member, what):
        try:
            getattr(member, what)()
        except Exception as error:  # shown to whoever asked
            return error
        self.closing = what == "close"
        return None

    def ask(self, what):
        self.asked.put(what)
        error = self.answered.get(timeout=PATIENCE)
        if error:
            raise error

    def values(self):
        with self.mutex:
            seen, self.seen = self.seen, []
            return seen

    def owned(self):
        with self.mutex:
            return self.share

    def commit(self):
        self.ask("commit")

    def close(self):
        self.ask("close")
        self.thread.join(PATIENCE)
        return self.values()


# ----------------------------------------------------------------------------------- a group

def create_topic(servers, topic, partitions):
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(PATIENCE)


class Stored:
    """What a group has stored, by partition."""

    def __init__(self, servers, topic, partitions):
        from confluent_kafka import Consumer

        self.reader = Consumer({"bootstrap.servers": servers, "group.id": topic})
        self.topic, self.partitions = topic, partitions

    def offsets(self):
        from confluent_kafka import KafkaError, KafkaException, TopicPartition

        asked = [TopicPartition(self.topic, p) for p in range(self.partitions)]
        moving = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
                  KafkaError.COORDINATOR_NOT_AVAILABLE)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return [max(each.offset, 0) for each in self.reader.committed(asked, timeout=PATIENCE)]
            except KafkaException as error:
                # librdkafka leaves it to its user to ask again while a coordinator is being made.
                if error.args[0].code() not in moving or time.monotonic() > end:
                    raise
                time.sleep(0.1)


class Group:
    def __init__(self, what, servers, topic):
        from confluent_kafka import Producer

        self.what, self.servers, self.topic = what, servers, topic
        self.members, self.seen, self.twice, self.sent = [], set(), 0, 0
        create_topic(servers, topic, PARTITIONS)
        self.producer = Producer({"bootstrap.servers": servers})
        self.stored = Stored(servers, topic, PARTITIONS)

    def take(self, values):
        self.twice += len(self.seen & set(values)) + len(values) - len(set(values))
        self.seen |= set(values)

    def wait(self, done):
        end = time.monotonic() + PATIENCE
        while True:
            for member in self.members:
                self.take(member.values())
            if done() or time.monotonic() > end:
                return done()
            time.sleep(0.05)

    def produce(self):
        for i in range(self.sent, self.sent + RECORDS):
            self.producer.produce(self.topic, b"%d" % i, partition=i % PARTITIONS)
        self.producer.flush(PATIENCE)
        self.sent += RECORDS

    def committed(self):
        return sum(self.stored.offsets())

    def share_and_read(self, when):
        shares = [PARTITIONS // len(self.members)] * len(self.members)
        said = "%s, %s: " % (self.what, when)
        ok = check(said + "they share", self.wait(lambda: [m.owned() for m in self.members] == shares),
                   [m.owned() for m in self.members])
        self.produce()
        ok &= check(said + "all is read, nothing twice",
                    self.wait(lambda: len(self.seen) == self.sent) and self.twice == 0,
                    (len(self.seen), self.sent, self.twice))
        for member in self.members:
            member.commit()
        # What a member has shown it may be about to store.
        ok &= check(said + "all is committed", self.wait(lambda: self.committed() == self.sent), self.committed())
        return ok

    def run(self, kinds):
        for name, join in kinds:
            self.members.append(join())
            if not self.share_and_read("with " + name):
                return
        self.take(self.members.pop(0).close())
        if self.share_and_read("without " + kinds[0][0]):
            while self.members:
                self.take(self.members.pop().close())
            check(self.what + ": all is read once, and stored",
                  len(self.seen) == self.sent == self.committed() and self.twice == 0,
                  (len(self.seen), self.sent, self.twice, self.committed()))


JAVA_STRATEGIES = {"range": "org.apache.kafka.clients.consumer.RangeAssignor",
                   "roundrobin": "org.apache.kafka.clients.consumer.RoundRobinAssignor",
                   "cooperative-sticky": "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"}


def kinds_of(servers, program, topic, assignor):
    """Those that can be in a group with this assignor ("consumer": KIP-848), and how each joins it."""
    modern = assignor == "consumer"
    tern = ["protocol=consumer"] if modern else ["assignors=" + assignor]
    java = ["--group-protocol", "CONSUMER"] if modern else ["--assignment-strategy", JAVA_STRATEGIES[assignor]]
    confluent = ({"group.protocol": "consumer"} if modern else
                 {"partition.assignment.strategy": assignor, "heartbeat.interval.ms": 500,
                  "session.timeout.ms": 10000})
    return {"tern": lambda: TernMember(program, servers, topic, topic, tern),
            "Java": lambda: JavaMember(servers, topic, topic, java),
            "librdkafka": lambda: Polled(lambda: group_peers.ConfluentMember(servers, topic, topic, confluent)),
            "kafka-python": lambda: Polled(lambda: group_peers.KafkaPythonMember(servers, topic, topic))}


# Who joins in turn.
GROUPS = [("range", ["tern", "librdkafka", "kafka-python"]),
          ("cooperative-sticky", ["tern", "librdkafka", "Java"]),
          ("roundrobin", ["librdkafka", "tern"]),
          ("cooperative-sticky", ["Java", "tern"]),
          ("consumer", ["tern", "librdkafka", "Java"])]


def run_group(servers, program, number):
    assignor, names = GROUPS[number]
    topic = "mixed-%s-%d" % (RUN, number)
    what = "%s (%s)" % (" and ".join(names), assignor)
    kinds = kinds_of(servers, program, topic, assignor)
    try:
        Group(what, servers, topic).run([(name, kinds[name]) for name in names])
    except Exception as error:
        check(what, False, repr(error))


# ------------------------------------------------------------------------------------------- rough

class Rough:
    """One group of tern members that are treated badly."""

    MEMBERS, SESSION = 4, 6

    def __init__(self, what, servers, program, topic, options):
        from confluent_kafka import Producer

        self.what, self.servers, self.program, self.topic, self.options = what, servers, program, topic, options
        self.rng = random.Random(RUN + what)
        self.producer = Producer({"bootstrap.servers": servers})
        create_topic(servers, topic, PARTITIONS)
        self.stored = Stored(servers, topic, PARTITIONS)
        self.known, self.back = [0] * PARTITIONS, []
        self.sent, self.seen, self.read = 0, set(), 0
        self.members, self.gone, self.took = [], [], {}

    def start(self):
        self.members.append(TernMember(self.program, self.servers, self.topic, self.topic, self.options,
                                       session=self.SESSION))

    def look(self):
        for member in self.members + self.gone:
            values = member.values()
            self.read += len(values)
            self.seen |= set(values)
        now = self.stored.offsets()
        self.back += ["partition %d: from %d to %d" % (p, before, after)
                      for p, (before, after) in enumerate(zip(self.known, now)) if after < before]
        self.known = now

    def produce(self):
        for i in range(self.sent, self.sent + 100):
            self.producer.produce(self.topic, b"%d" % i, partition=i % PARTITIONS)
        self.producer.poll(0)
        self.sent += 100

    def until(self, done, patience=PATIENCE, produce=True):
        """Goes on until done(); how long that took."""
        begin = time.monotonic()
        while not done() and time.monotonic() < begin + patience:
            if produce:
                self.produce()
            self.look()
            time.sleep(0.05)
        return time.monotonic() - begin

    def settled(self):
        owned = [p for member in self.members for p in member.owned_now()]
        return sorted(owned) == list(range(PARTITIONS)) and all(m.owned() for m in self.members)

    def disturb(self, how):
        victim = self.members.pop(self.rng.randrange(len(self.members)))
        if how == "killed":
            victim.process.kill()
            self.gone.append(victim)
        elif how == "closed":
            victim.ask("close")
            self.gone.append(victim)
        else:
            victim.process.send_signal(signal.SIGSTOP)
        # Until the others have all of it.
        self.took.setdefault(how, []).append(self.until(self.settled))
        if how == "frozen":
            victim.process.send_signal(signal.SIGCONT)
            self.members.append(victim)
        else:
            self.start()
        self.took.setdefault("joined", []).append(self.until(self.settled))

    def run(self, seconds):
        for _ in range(self.MEMBERS):
            self.start()
        self.until(self.settled)
        end, turn = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            self.disturb(("closed", "killed", "frozen")[turn % 3])
            turn += 1
        self.producer.flush(PATIENCE)
        self.until(lambda: len(self.seen) == self.sent, produce=False)
        for member in self.members:
            member.ask("close")
        for member in self.members:
            member.process.wait(PATIENCE)
            member.thread.join(PATIENCE)
        self.look()
        self.report()

    def report(self):
        check(self.what + ": every record is read", len(self.seen) == self.sent, (len(self.seen), self.sent))
        check(self.what + ": what is stored never goes back", not self.back, self.back[:3])
        # All has been read, so this is also the most that may be stored.
        check(self.what + ": everything is stored", sum(self.known) == self.sent, (self.known, self.sent))
        wrong = [line for member in self.members + self.gone for line in member.wrong]
        check(self.what + ": no gap, and nothing twice, from one stored position", not wrong, wrong[:3])
        with lock:
            print("      %s: %d records, %d read again; seconds until all is owned again: %s" %
                  (self.what, self.sent, self.read - self.sent,
                   "; ".join("%s %.1f (most %.1f, of %d)" % (how, statistics.median(each), max(each), len(each))
                             for how, each in self.took.items())), flush=True)


ROUGH = [("rough, eager", ["assignors=range"]),
         ("rough, cooperative", ["assignors=cooperative-sticky"]),
         ("rough, KIP-848", ["protocol=consumer"])]


def run_rough(servers, program, number, seconds):
    what, options = ROUGH[number]
    group = Rough(what, servers, program, "rough-%s-%d" % (RUN, number), options)
    try:
        group.run(seconds)
    except Exception as error:
        check(what, False, repr(error))
    finally:
        for member in group.members + group.gone:
            member.process.kill()


# ----------------------------------------------------------------------------------------- figures

class Timed(TernMember):
    """Notes when something of a partition was read last, and the longest time between two such times."""

    def __init__(self, *args):
        self.last, self.longest = {}, {}
        super().__init__(*args)

    def on_read(self, partition, first, count):
        now = time.monotonic()
        if partition in self.last:
            self.longest[partition] = max(self.longest.get(partition, 0), now - self.last[partition])
        self.last[partition] = now

    def forget(self):
        with self.mutex:
            self.last, self.longest = {}, {}

    def pauses(self, of):
        with self.mutex:
            return [self.longest.get(p, 0) for p in of]


def pause_figure(servers, program):
    from confluent_kafka import Producer

    partitions, topic = 100, "pause-" + RUN
    create_topic(servers, topic, partitions)
    producer, stop = Producer({"bootstrap.servers": servers, "linger.ms": 1}), threading.Event()

    def produce():
        while not stop.wait(0.05):
            for p in range(partitions):
                producer.produce(topic, b"x", partition=p)
            producer.poll(0)

    thread = threading.Thread(target=produce)
    thread.start()

    def join():
        return Timed(program, servers, topic, topic, ["assignors=cooperative-sticky"])

    def wait(members):
        end = time.monotonic() + PATIENCE
        while sum(m.owned() for m in members) != partitions or not all(m.owned() for m in members):
            if time.monotonic() > end:
                raise RuntimeError([m.owned() for m in members])
            time.sleep(0.05)

    members = [join() for _ in range(3)]
    wait(members)
    time.sleep(3)
    for member in members:
        member.forget()
    before = [member.owned_now() for member in members]
    time.sleep(5)
    calm = [pause for member, owned in zip(members, before) for pause in member.pauses(owned)]
    for member in members:
        member.forget()
    begin = time.monotonic()
    members.append(join())
    wait(members)
    took = time.monotonic() - begin
    time.sleep(1)
    stay = [owned & member.owned_now() for member, owned in zip(members, before)]
    pauses = [pause for member, owned in zip(members, stay) for pause in member.pauses(owned)]
    stop.set()
    thread.join()
    producer.flush(PATIENCE)
    print("cooperative-sticky, 100 partitions, a fourth member joins: all is owned again after %.2f s (its start "
          "included); %d partitions stay, longest time without a record %.0f ms, median %.0f ms (in 5 s before: "
          "%.0f ms, %.0f ms)" % (took, len(pauses), max(pauses) * 1e3, statistics.median(pauses) * 1e3,
                                 max(calm) * 1e3, statistics.median(calm) * 1e3))
    for member in members:
        member.close()


def memory_and_time(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        kib = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    with open("/proc/%d/stat" % pid, encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return kib, (int(fields[11]) + int(fields[12])) / 100


def idle_figure(servers, program, seconds=20):
    for partitions in (1, 1000):
        for options in (["assignors=cooperative-sticky"], ["protocol=consumer"]):
            topic = "idle-%s-%d-%d" % (RUN, partitions, len(options[0]))
            create_topic(servers, topic, partitions)
            member = TernMember(program, servers, topic, topic, options)
            end = time.monotonic() + PATIENCE
            while member.owned() != partitions and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(5)
            kib, before = memory_and_time(member.process.pid)
            time.sleep(seconds)
            _, after = memory_and_time(member.process.pid)
            print("idle member of %d partitions (%s): %.1f MiB resident, %.2f %% of a core, polls every 50 ms "
                  "included" % (member.owned(), options[0], kib / 1024, (after - before) / seconds * 100))
            member.close()


# -------------------------------------------------------------------------------------------- main

def main(argv):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("servers")
    parser.add_argument("program")
    parser.add_argument("--only", choices=["mixed", "rough"])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--figures", action="store_true")
    args = parser.parse_args(argv)
    if not group_peers.importable("confluent_kafka") or not group_peers.importable("kafka"):
        skip("groups of tern and others", "needs Python's clients; ./dev setup installs them")
    elif args.figures:
        pause_figure(args.servers, args.program)
        idle_figure(args.servers, args.program)
        return 0
    else:
        runs = []
        if args.only != "rough":
            runs += [(run_group, (args.servers, args.program, i)) for i in range(len(GROUPS))]
        if args.only != "mixed":
            runs += [(run_rough, (args.servers, args.program, i, args.seconds)) for i in range(len(ROUGH))]
        threads = [threading.Thread(target=run, args=given) for run, given in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
