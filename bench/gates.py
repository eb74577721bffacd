#!/usr/bin/env python3
"""What a record costs in instructions, allocations and calls, against what is on record.

    gates.py [--record]      or  ./dev bench gates [--record]

Counts, unlike times, are the same on a busy machine. For each scenario of scenarios.cc (an engine in
memory, one thread, virtual time) three things are held to bench/gates.json with 3 % of tolerance:
  instructions   per record, by callgrind, as the difference of two runs so that the start cancels
  allocations    calls of operator new per 1,000 records, behind a warm-up
  network calls  gathered writes and reads per 1,000 records
Over real sockets, by strace, system calls of everything (all threads) are held to a fixed limit: at
most 3 per 1,000 records in bulk, 20 per 1,000 messages of AMQP. (Not over 10,000 partitions, where strace itself decides how much one
request collects: there the calls in memory are what is held, and `compare` counts with perf.) An idle
client is held to 1 MiB of heap and 0.1 % of a core. --record writes bench/gates.json anew; look at the
difference before you commit it.

The record is for g++ 12, -c opt, x86-64 with AVX2, and the glibc and valgrind of Debian 12. Valgrind
shows programs the same processor on every machine with AVX2, so CRC-32C and memcpy() choose the same
way there; if CRC-32C is computed in another way than on record, that is said and fails.
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

from compare import Broker

HERE = os.path.dirname(os.path.abspath(__file__))
RECORD = os.path.join(HERE, "gates.json")
TOLERANCE = 0.03
# Records before counting begins and while it lasts. Over 10,000 partitions 50,000 records are what one
# linger collects, so it takes several of those.
SCENARIOS = {
    "produce-100": (20_000, 50_000),
    "produce-100-handler": (20_000, 50_000),
    "produce-100-p100": (20_000, 50_000),
    "produce-100-p10000": (200_000, 200_000),
    "consume-100": (20_000, 50_000),
    "consume-100-group": (20_000, 50_000),
    "encode-batch": (20_000, 50_000),
    "decode-batch": (20_000, 50_000),
    "amqp-publish-100": (20_000, 50_000),
    "amqp-publish-100-handler": (20_000, 50_000),
    "amqp-consume-100": (20_000, 50_000),
    "amqp-consume-100-single": (20_000, 50_000),
}
MOST_SYSCALLS, MOST_AMQP_SYSCALLS = 3.0, 20.0  # per 1,000 records
MOST_IDLE_HEAP_KIB, MOST_IDLE_CPU_PERCENT = 1024, 0.1


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    return done


def costs(program, scenario, records, before=()):
    done = run([*before, program, "--scenario", scenario, "--warm", str(SCENARIOS[scenario][0]),
                "--records", str(records)])
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr


def instructions(program, scenario, folder):
    """Per record, and how CRC-32C was computed."""
    total, done = [], None
    for records in (0, SCENARIOS[scenario][1]):
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.out"]
        done, errors = costs(program, scenario, records, tool)
        total.append(int(re.search(r"Collected : (\d+)", errors).group(1)))
    return (total[1] - total[0]) / done["records"], done["crc32c"]


def measure_engine(program):
    found = {"instructions per record": {}, "allocations per 1,000 records": {},
             "network calls per 1,000 records": {}}
    ways = set()
    with tempfile.TemporaryDirectory() as folder:
        for scenario in SCENARIOS:
            each, way = instructions(program, scenario, folder)
            ways.add(way)
            counted, _ = costs(program, scenario, SCENARIOS[scenario][1])
            thousands = counted["records"] / 1000
            found["instructions per record"][scenario] = round(each, 1)
            found["allocations per 1,000 records"][scenario] = round(
                counted["allocations"] / thousands, 3)
            found["network calls per 1,000 records"][scenario] = round(
                counted["network_calls"] / thousands, 3)
    return found, ", ".join(sorted(ways))


def syscalls(folder, program, options, broker_program="null_broker", broker_options=()):
    """Per 1,000 records over loopback, as the difference of two runs under strace."""
    totals = []
    for records in (100_000, 1_100_000):
        with Broker(os.path.join(folder, broker_program), broker_options) as broker, \
                tempfile.NamedTemporaryFile("r") as counts:
            run(["strace", "-f", "-c", "-U", "calls,name", "-o", counts.name,
                 os.path.join(folder, program), "--broker", broker.address, "--records",
                 str(records), *options])
            totals.append(next(int(x.split()[0]) for x in counts if x.split()[1:] == ["total"]))
    return (totals[1] - totals[0]) / 1000


def measure_sockets(folder):
    """What, how many, and how many there may be."""
    for partitions in (1, 100):
        options = ["--partitions", str(partitions)]
        yield (f"produce, partitions: {partitions}",
               syscalls(folder, "tern_produce", options, broker_options=options), MOST_SYSCALLS)
    yield "consume", syscalls(folder, "tern_consume", []), MOST_SYSCALLS
    for what in ("publish", "coroutines", "consume"):
        yield (f"AMQP {what}", syscalls(folder, "amqp/tern", ["--do", what], "amqp/null_broker"),
               MOST_AMQP_SYSCALLS)


def measure_idle(folder):
    """The least of three, if it takes that: on a busy machine a process is charged for others, too."""
    runs = []
    with Broker(os.path.join(folder, "null_broker"), ["--limit", "1000"]) as broker:
        while len(runs) < 3 and all(each["cpu_percent"] > MOST_IDLE_CPU_PERCENT for each in runs):
            done = run([os.path.join(folder, "tern_idle"), "--broker", broker.address])
            runs.append(json.loads(done.stdout))
    return min(runs, key=lambda each: each["cpu_percent"])


class Report:
    def __init__(self):
        self.checked = self.failed = 0
        self.line("", "recorded", "measured", "limit", "")

    @staticmethod
    def line(what, recorded, measured, limit, verdict):
        print(f"{what:52} {recorded:>10} {measured:>10} {limit:>10}  {verdict}".rstrip())

    def check(self, what, recorded, measured, limit):
        good = measured <= limit
        self.checked += 1
        self.failed += not good
        show = lambda x: "-" if x is None else format(x, ".3f" if x < 100 else ".1f")
        verdict = "ABOVE THE LIMIT" if not good else (
            "better: --record it" if recorded and measured < recorded * (1 - TOLERANCE) else "")
        self.line(what, show(recorded), show(measured), show(limit), verdict)


def compiler():
    version = run(["g++", "-dumpversion"]).stdout.strip()
    return f"g++ {version.split('.', maxsplit=1)[0]}, -c opt"


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(HERE, "..", "bazel-bin", "bench"),
                        help="folder of the programs, built with -c opt")
    parser.add_argument("--record", action="store_true", help="write bench/gates.json anew")
    args = parser.parse_args(argv)
    missing = [t for t in ("valgrind", "strace") if shutil.which(t) is None]
    if missing:
        print(f"needs {' and '.join(missing)}", file=sys.stderr)
        return 2
    engine, way = measure_engine(os.path.join(args.bin, "engine_costs"))
    record = {"built with": compiler(), "CRC-32C under valgrind": way, **engine}
    if args.record:
        with open(RECORD, "w", encoding="utf-8") as out:
            json.dump(record, out, indent=2)
            out.write("\n")
        print(f"recorded in {RECORD}")
    with open(RECORD, encoding="utf-8") as text:
        old = json.load(text)
    report = Report()
    for kind, values in engine.items():
        for scenario, measured in values.items():
            recorded = old[kind].get(scenario)
            if recorded is None:
                raise RuntimeError(f"{kind} of {scenario} are not on record: --record them")
            # Counts of a few per run move by whole ones: 3 % of them is nothing.
            limit = recorded * (1 + TOLERANCE)
            report.check(f"{kind}: {scenario}", recorded, measured, math.ceil(limit * 1000) / 1000)
    for what, measured, most in measure_sockets(args.bin):
        report.check(f"system calls per 1,000 records: {what}", None, measured, most)
    idle = measure_idle(args.bin)
    report.check("idle client: KiB of heap", None, idle["heap_bytes"] / 1024, MOST_IDLE_HEAP_KIB)
    report.check("idle client: % of a core", None, idle["cpu_percent"], MOST_IDLE_CPU_PERCENT)
    if old["built with"] != record["built with"]:
        print(f"note: on record is {old['built with']}, this is {record['built with']}")
    if old["CRC-32C under valgrind"] != way:
        print(f"CRC-32C is computed by {way} here, by {old['CRC-32C under valgrind']} on record: "
              "the instructions cannot be compared")
        report.failed += 1
    print(f"{report.checked - report.failed} passed, {report.failed} failed, 0 skipped")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
