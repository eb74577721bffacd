#!/usr/bin/env python3
"""Compares tern with the physical floor, librdkafka and franz-go, in interleaved rounds.

Each sample is a process of its own against a fresh null broker, long enough to use a second of CPU.
What is compared is CPU seconds of the whole client process per million records, all its threads, from
before the first record to after the last answer; ratios are between medians of one run. See README.md.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Row:
    """One workload: what the broker is, what each client is told, and what is to be reached."""

    def __init__(self, name, title, do, broker=(), common=(), floor=None, tern=(), peers=(),
                 floor_ratio=None, peer_ratio=None, franz_ratio=None, step=1, floor_of=None,
                 codec=None, held=None):
        self.name, self.title, self.do = name, title, do
        self.broker, self.common = list(broker), list(common)
        self.floor, self.tern, self.peers = floor, list(tern), list(peers)
        self.floor_ratio = floor_ratio
        self.peer_ratio = peer_ratio
        self.franz_ratio = franz_ratio if franz_ratio is not None else peer_ratio
        self.step = step          # records come in multiples of this
        self.floor_of = floor_of  # the floor is that of another row
        self.held = held          # records that peers may hold at most
        self.codec = codec        # options of floor_gzip, whose cost is added to the floor


def rows():
    def produce(name, title, size=100, partitions=1, **more):
        options = ["--size", str(size), "--partitions", str(partitions)]
        return Row(name, title, "produce", broker=options, common=options, **more)

    def consume(name, title, size, **more):
        batch = 1000 if size == 100 else 900
        return Row(name, title, "consume", common=["--size", str(size)],
                   broker=["--size", str(size), "--batch-records", str(batch)],
                   step=batch, **more)

    def cross(report):
        return ["--report", report, "--thread", "other"]

    gzip = ["--gzip", "6"]
    return [
        produce("produce-100", "produce 100 B, 1 partition, a report per batch",
                floor=["--batch", "1000000"], floor_ratio=2.5, peer_ratio=5),
        produce("produce-100-handler", "produce 100 B, 1 partition, a handler per record",
                floor_of="produce-100", tern=["--report", "record"], floor_ratio=3.5,
                peer_ratio=3.5),
        produce("produce-100-thread", "the same, a report per batch, sent from another thread",
                floor_of="produce-100", tern=cross("batch"), floor_ratio=4, peer_ratio=3),
        produce("produce-100-handler-thread", "a handler per record, sent from another thread",
                floor_of="produce-100", tern=cross("record"), floor_ratio=5.5, peer_ratio=2.2),
        produce("produce-100-p100", "produce 100 B, a random one of 100 partitions each",
                partitions=100, floor_of="produce-100", floor_ratio=3.5, peer_ratio=4),
        produce("produce-100-p10000", "produce 100 B, a random one of 10,000 partitions each",
                partitions=10000, floor=["--fill", "8000000"], held="1000000", floor_ratio=1.6, peer_ratio=4),
        produce("produce-1000", "produce 1,000 B, 1 partition", size=1000,
                floor=["--batch", "1000000"], floor_ratio=1.4, peer_ratio=1.6),
        consume("consume-100", "consume 100 B, 1,000-record batches", 100, floor=[],
                floor_ratio=2, peer_ratio=8, franz_ratio=2),
        consume("consume-1000", "consume 1,000 B", 1000, floor=[], floor_ratio=1.3,
                peer_ratio=1.1, franz_ratio=3),
        Row("gzip-produce", "gzip level 6, 1,000 B JSON-like, produce", "produce",
            broker=["--size", "1000"], common=["--size", "1000"], floor_of="produce-1000",
            tern=gzip, peers=gzip, codec=["--do", "produce"], floor_ratio=1.1, peer_ratio=1),
        Row("gzip-consume", "gzip level 6, 1,000 B JSON-like, consume", "consume",
            broker=["--size", "1000", "--batch-records", "900"] + gzip,
            common=["--size", "1000"], floor_of="consume-1000", codec=["--do", "consume"],
            floor_ratio=1.1, peer_ratio=1, step=900),
    ]


class Broker:
    """A null broker for one sample."""

    def __init__(self, program, options):
        self.process = subprocess.Popen([program] + options, stdout=subprocess.PIPE, text=True)
        self.address = "127.0.0.1:" + self.process.stdout.readline().split()[1]

    def stop(self):
        self.process.terminate()
        totals = json.loads(self.process.stdout.read())
        self.process.wait()
        return totals


class Bench:
    def __init__(self, args):
        self.args = args
        self.calibrated = {}
        self.syscalls = {}
        self.programs = self.find_programs()

    def find_programs(self):
        folder = self.args.bin
        found = {
            "floor": {d: os.path.join(folder, "floor_" + d) for d in ("produce", "consume")},
            "tern": {d: os.path.join(folder, "tern_" + d) for d in ("produce", "consume")},
        }
        for name, path in (("librdkafka", self.args.rdkafka), ("franz-go", self.args.franzgo)):
            if path:
                found[name] = {"produce": path, "consume": path}
        for name in list(found):
            missing = [p for p in found[name].values() if not os.access(p, os.X_OK)]
            if missing:
                print(f"without {name}: {missing[0]} is not there", file=sys.stderr)
                del found[name]
        return found

    def command(self, row, client, records, address):
        line = [self.programs[client][row.do], "--broker", address, "--records", str(records)]
        if client in ("librdkafka", "franz-go"):
            more = []
            if row.held:  # as many records on their way as it needs for batches of some size
                more = ["--queue-messages" if client == "librdkafka" else "--buffered", row.held]
            return line + ["--do", row.do] + row.common + row.peers + more
        if client == "tern":
            return line + row.common + row.tern
        common = row.common if row.do == "produce" else []
        return line + common + (row.floor or [])

    def sample(self, row, client, records, counting=False):
        broker_options = list(row.broker)
        if row.do == "consume":
            broker_options += ["--limit", str(records)]
        broker = Broker(os.path.join(self.args.bin, "null_broker"), broker_options)
        try:
            command = self.command(row, client, records, broker.address)
            counts = os.path.join(self.args.tmp, "syscalls")
            if counting:
                command = ["perf", "stat", "-x,", "-o", counts, "-e", "raw_syscalls:sys_enter",
                           "--"] + command
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, timeout=600, check=False)
        finally:
            totals = broker.stop()
        if done.returncode != 0:
            raise RuntimeError(f"{row.name}, {client}: {done.stderr.strip()[-500:]}")
        result = json.loads(done.stdout.strip().splitlines()[-1])
        if row.do == "produce" and totals["produced_records"] != records:
            raise RuntimeError(f"{row.name}, {client}: {records} records claimed, "
                               f"{totals['produced_records']} arrived")
        if counting:
            with open(counts, encoding="utf-8") as lines:
                for line in lines:
                    if "sys_enter" in line:
                        result["all_syscalls"] = int(line.split(",")[0])
        return result

    def whole(self, row, records):
        return max(row.step, int(records) // row.step * row.step)

    def calibrate(self, row, client):
        """How many records take --seconds of CPU; also counts system calls, unmeasured."""
        first = self.sample(row, client, self.whole(row, 200_000))
        per_record = max(first["cpu_s"], 1e-3) / first["records"]
        for _ in range(2):
            records = self.whole(row, 0.25 * self.args.seconds / per_record)
            again = self.sample(row, client, records, counting=self.args.perf)
            per_record = max(again["cpu_s"], 1e-3) / again["records"]
        if "all_syscalls" in again:
            self.syscalls[row.name, client] = 1e3 * again["all_syscalls"] / again["records"]
        self.calibrated[row.name, client] = self.whole(
            row, 1.6 * self.args.seconds / per_record + row.step)

    def codec_cost(self, row):
        program = os.path.join(self.args.bin, "floor_gzip")
        records = "40000" if row.do == "produce" else "450000"
        line = subprocess.run([program, "--records", records, "--size", "1000"] + row.codec,
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        return json.loads(line)

    def clients(self, row):
        names = [n for n in ("floor", "tern", "librdkafka", "franz-go") if n in self.programs]
        return [n for n in names if n != "floor" or row.floor is not None]

    def measure(self, chosen):
        jobs = [(row, client) for row in chosen for client in self.clients(row)]
        samples = {(row.name, client): [] for row, client in jobs}
        samples.update({(row.name, "zlib"): [] for row in chosen if row.codec})
        for row, client in jobs:
            self.note(f"calibrating {row.name} {client}")
            self.calibrate(row, client)
        # Rows that share a floor are neighbours; all clients take turns inside every round.
        for turn in range(self.args.rounds):
            for row, client in jobs:
                self.note(f"round {turn + 1}/{self.args.rounds} {row.name} {client}")
                records = self.calibrated[row.name, client]
                samples[row.name, client].append(self.sample(row, client, records))
            for row in chosen:
                if row.codec:
                    samples[row.name, "zlib"].append(self.codec_cost(row))
        self.note("")
        return samples

    def note(self, text):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def median(samples, field):
    values = [s[field] for s in samples]
    return statistics.median(values) if values else None


class Table:
    def __init__(self, bench, chosen, samples):
        self.bench, self.chosen, self.samples = bench, chosen, samples
        self.results = [self.result(row) for row in chosen]

    def cpu(self, row_name, client):
        return median(self.samples.get((row_name, client), []), "cpu_s_per_million")

    def floor(self, row):
        value = self.cpu(row.floor_of or row.name, "floor")
        if row.codec and value is not None:
            value += self.cpu(row.name, "zlib")
        return value

    def result(self, row):
        result = {"row": row.name, "title": row.title, "floor": self.floor(row), "clients": {}}
        for client in self.bench.clients(row):
            taken = self.samples[row.name, client]
            if not taken:
                continue
            result["clients"][client] = {
                "cpu_s_per_million": median(taken, "cpu_s_per_million"),
                "cpu_min": min(s["cpu_s_per_million"] for s in taken),
                "cpu_max": max(s["cpu_s_per_million"] for s in taken),
                "records_per_s": median(taken, "records_per_s"),
                "max_rss_kib": median(taken, "max_rss_kib"),
                "syscalls_per_thousand": self.bench.syscalls.get((row.name, client)),
                "sample_cpu_s_min": min(s["cpu_s"] for s in taken),
            }
        tern = result["clients"].get("tern", {}).get("cpu_s_per_million")
        result["goals"] = self.goals(row, result, tern)
        return result

    @staticmethod
    def goals(row, result, tern):
        goals = []
        if tern is None:
            return goals
        if result["floor"]:
            ratio = tern / result["floor"]
            goals.append({"against": "floor", "ratio": ratio, "limit": row.floor_ratio,
                          "reached": ratio <= row.floor_ratio})
        for client, limit in (("librdkafka", row.peer_ratio), ("franz-go", row.franz_ratio)):
            peer = result["clients"].get(client, {}).get("cpu_s_per_million")
            if peer:
                goals.append({"against": client, "ratio": tern / peer, "limit": 1 / limit,
                              "reached": tern / peer <= 1 / limit})
        return goals

    def faults(self):
        """Why this run does not count, if it does not."""
        found = []
        for result in self.results:
            for client, value in result["clients"].items():
                if value["sample_cpu_s_min"] < self.bench.args.seconds * 0.8:
                    found.append(f"{result['row']}: a sample of {client} used only "
                                 f"{value['sample_cpu_s_min']:.2f} s of CPU")
            rdkafka = result["clients"].get("librdkafka")
            lazy = result["row"] in ("produce-100", "consume-100")
            if lazy and rdkafka and result["floor"] * 8 > rdkafka["cpu_s_per_million"]:
                found.append(f"{result['row']}: the floor is more than 1/8 of librdkafka")
        return found

    def show(self):
        for result in self.results:
            print(f"\n{result['title']}  [{result['row']}]")
            print(f"  {'':12} {'CPU-s/M':>9} {'min':>8} {'max':>8} {'rec/s':>12} "
                  f"{'syscalls/k':>10} {'peak MiB':>9} {'x floor':>8} {'x tern':>7}")
            tern = result["clients"].get("tern", {}).get("cpu_s_per_million")
            if result["floor"] and "floor" not in result["clients"]:
                print(f"  {'floor':12} {result['floor']:9.4f}")
            for client, value in result["clients"].items():
                cpu = value["cpu_s_per_million"]
                calls = value["syscalls_per_thousand"]
                print(f"  {client:12} {cpu:9.4f} {value['cpu_min']:8.4f} {value['cpu_max']:8.4f} "
                      f"{value['records_per_s']:12,.0f} "
                      f"{'-' if calls is None else format(calls, '.3f'):>10} "
                      f"{value['max_rss_kib'] / 1024:9.1f} "
                      f"{'-' if not result['floor'] else format(cpu / result['floor'], '.2f'):>8} "
                      f"{'-' if not tern else format(cpu / tern, '.2f'):>7}")
            for goal in result["goals"]:
                mark = "reached" if goal["reached"] else "MISSED"
                print(f"    tern / {goal['against']:10} {goal['ratio']:6.3f}   "
                      f"at most {goal['limit']:.3f}   {mark}")
        missed = sum(not g["reached"] for r in self.results for g in r["goals"])
        total = sum(len(r["goals"]) for r in self.results)
        print(f"\n{total - missed} of {total} figures reached, {self.bench.args.rounds} rounds")
        for fault in self.faults():
            print(f"does not count: {fault}")


def machine():
    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((x.split(":", 1)[1].strip() for x in lines if "model name" in x), "")
    except OSError:
        pass
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def perf_works():
    if shutil.which("perf") is None:
        return False
    tried = subprocess.run(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "true"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return tried.returncode == 0 and tried.stderr.split(",")[0].strip().isdigit()


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="rows to run, by name; none: all")
    parser.add_argument("--list", action="store_true", help="names of the rows")
    parser.add_argument("--bin", default=os.path.join(HERE, "..", "bazel-bin", "bench"),
                        help="folder of the built programs")
    parser.add_argument("--rdkafka", help="the librdkafka program, or another build of it")
    parser.add_argument("--franzgo", help="the franz-go program")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU of one sample")
    parser.add_argument("--json", metavar="FILE", help="write everything, raw samples included")
    parser.add_argument("--tmp", default="/tmp")
    args = parser.parse_args(argv)
    if args.rdkafka is None:
        path = os.path.join(args.bin, "peers", "rdkafka_peer")
        args.rdkafka = path if os.access(path, os.X_OK) else None
    if args.franzgo is None:
        path = os.path.join(args.bin, "peers", "franzgo_peer")
        cached = os.path.expanduser("~/.cache/tern/franzgo_peer")
        args.franzgo = next((p for p in (path, cached) if os.access(p, os.X_OK)), None)
    args.perf = perf_works()
    return args


def main(argv):
    args = parse(argv)
    known = rows()
    if args.list:
        for row in known:
            print(f"{row.name:28} {row.title}")
        return 0
    unknown = set(args.rows) - {row.name for row in known}
    if unknown:
        print(f"no such row: {', '.join(sorted(unknown))}; see --list", file=sys.stderr)
        return 2
    wanted = set(args.rows) or {row.name for row in known}
    wanted |= {row.floor_of for row in known if row.name in wanted and row.floor_of}
    chosen = [row for row in known if row.name in wanted]
    bench = Bench(args)
    samples = bench.measure(chosen)
    table = Table(bench, chosen, samples)
    table.show()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"machine": machine(), "rounds": args.rounds, "rows": table.results,
                       "faults": table.faults(),
                       "samples": {f"{r}/{c}": s for (r, c), s in samples.items()}}, out, indent=1)
    return 0 if all(g["reached"] for r in table.results for g in r["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
