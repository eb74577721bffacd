#!/usr/bin/env python3
"""Compares tern with the physical floor and with other clients, in interleaved rounds.

    compare.py [kafka]    against librdkafka and franz-go
    compare.py amqp       against rabbitmq-c and amqp091-go

Each sample is a process of its own against a fresh null broker, long enough to use a second of CPU.
What is compared is CPU seconds of the whole client process per million records, all its threads, from
before the first record to after the last answer; ratios are between medians of one run. The limits
that tern has set itself are checked, and so is whether the run counts at all. See README.md.
"""

import argparse
import ctypes
import fcntl
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import picture
from suites import SUITES

HERE = os.path.dirname(os.path.abspath(__file__))
FULL_ROUNDS = 7
CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x40000000, 0x8914, 1  # of Linux


class Broker:
    """A null broker on a port of its own; what it has counted is in `totals` when it is over."""

    def __init__(self, program, options):
        self.process = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
        self.totals = None
        self.address = "127.0.0.1:" + self.process.stdout.readline().split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.totals = json.loads(self.process.stdout.read())
        self.process.wait()


class Counter:
    """Counts the system calls of a command, all threads: perf where it may, else strace."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "syscalls")
        self.tool = "perf" if self.perf_works() else shutil.which("strace") and "strace"

    @staticmethod
    def perf_works():
        if shutil.which("perf") is None:
            return False
        tried = subprocess.run(["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "true"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               check=False)
        return tried.returncode == 0 and tried.stderr.split(",")[0].strip().isdigit()

    def wrap(self, command):
        if self.tool == "perf":
            return ["perf", "stat", "-x,", "-o", self.path, "-e", "raw_syscalls:sys_enter", "--",
                    *command]
        return ["strace", "-f", "-c", "-U", "calls,name", "-o", self.path, *command]

    def count(self):
        with open(self.path, encoding="utf-8") as lines:
            for line in lines:
                if "sys_enter" in line:
                    return int(line.split(",")[0])
                if line.split()[1:] == ["total"]:
                    return int(line.split()[0])
        raise RuntimeError(f"{self.tool} counted nothing")


class Bench:
    def __init__(self, suite, args, folder):
        self.suite = suite
        self.args = args
        self.counter = Counter(folder)
        self.calibrated = {}
        self.syscalls = {}
        self.versions = {}
        self.environment = dict(os.environ)
        if args.librdkafka:
            self.environment["LD_LIBRARY_PATH"] = folder_of_librdkafka(args.librdkafka)

    def sample(self, row, client, records, counting=False):
        limit = ["--limit", str(records)] if row.do == "consume" else []
        broker = Broker(os.path.join(self.args.bin, self.suite.broker), row.broker + limit)
        with broker:
            command = [self.suite.programs[client][row.do], "--broker", broker.address,
                       "--records", str(records), *row.options[client]]
            if counting:
                command = self.counter.wrap(command)
            environment = self.environment if client == "librdkafka" else None
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, timeout=600, check=False, env=environment)
        if done.returncode != 0:
            raise RuntimeError(f"{row.name}, {client}: {done.stderr.strip()[-500:]}")
        result = json.loads(done.stdout.strip().splitlines()[-1])
        arrived = broker.totals[self.suite.arrived]
        if self.suite.counts_arrivals(row) and arrived != records:
            raise RuntimeError(f"{row.name}, {client}: {records} records claimed, "
                               f"{arrived} arrived")
        if counting:
            result["all_syscalls"] = self.counter.count()
        self.versions[client] = result["client"]
        return result

    def whole(self, row, records):
        return max(row.step, row.least, int(records) // row.step * row.step)

    def calibrate(self, row, client):
        """How many records take --seconds of CPU; and their system calls, in a run that is not
        measured, starting included."""
        records = row.least
        for share in (0.1, 0.4):
            taken = self.sample(row, client, self.whole(row, records))
            # What is over at once tells little about how long more will take.
            per_record = max(taken["cpu_s"], 2e-3) / taken["records"]
            records = share * self.args.seconds / per_record
        records = self.whole(row, 2.0 * self.args.seconds / per_record + row.step)
        if self.counter.tool:
            taken = self.sample(row, client, records, counting=True)
            self.syscalls[row.name, client] = 1e3 * taken["all_syscalls"] / taken["records"]
            # That run tells best, if counting did not slow it down.
            if self.counter.tool == "perf":
                per_record = taken["cpu_s"] / taken["records"]
                records = self.whole(row, 1.8 * self.args.seconds / per_record + row.step)
        self.calibrated[row.name, client] = records

    def long_sample(self, row, client):
        """One that uses --seconds of CPU: what was over sooner is taken again, and made longer from
        then on, as a client may be twice as fast in one process as in another."""
        for _ in range(5):
            taken = self.sample(row, client, self.calibrated[row.name, client])
            if taken["cpu_s"] >= self.args.seconds:
                break
            self.calibrated[row.name, client] = self.whole(row, 1.3 * taken["records"] + row.step)
        return taken

    def codec_cost(self, row):
        program = os.path.join(self.args.bin, "floor_gzip")
        records = (120_000 if row.do == "produce" else 900_000) * self.args.seconds
        line = subprocess.run([program, "--records", str(int(records)), "--size", str(row.size),
                               *row.codec], stdout=subprocess.PIPE, text=True, check=True).stdout
        return json.loads(line)

    def clients(self, row):
        return [n for n in self.suite.clients if n in self.suite.programs and n in row.options]

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
                samples[row.name, client].append(self.long_sample(row, client))
            for row in chosen:
                if row.codec:
                    samples[row.name, "zlib"].append(self.codec_cost(row))
        self.note("")
        return samples

    @staticmethod
    def note(text):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def folder_of_librdkafka(path):
    """The folder of librdkafka.so.1 in a build or an installation, or of the file itself."""
    if os.path.isfile(path):
        return os.path.dirname(os.path.abspath(path))
    for inside in ("", "lib", "src"):
        if os.path.exists(os.path.join(path, inside, "librdkafka.so.1")):
            return os.path.abspath(os.path.join(path, inside))
    raise SystemExit(f"no librdkafka.so.1 in {path}, its lib or its src")


class Table:
    """What was measured, against what is to be reached."""

    def __init__(self, bench, chosen, samples):
        self.bench, self.samples = bench, samples
        self.results = [self.result(row) for row in chosen]

    def cpu(self, row_name, client):
        taken = self.samples.get((row_name, client))
        return statistics.median(s["cpu_s_per_million"] for s in taken) if taken else None

    def floor(self, row):
        value = self.cpu(row.floor_of or row.name, "floor")
        return value + self.cpu(row.name, "zlib") if row.codec else value

    def result(self, row):
        floor = self.floor(row)
        result = {"row": row.name, "title": row.title, "floor": floor, "clients": {}}
        tern = self.cpu(row.name, "tern")
        for client in self.bench.clients(row):
            taken = self.samples[row.name, client]
            cpu = self.cpu(row.name, client)
            result["clients"][client] = {
                "version": self.bench.versions[client],
                "cpu_s_per_million": cpu,
                "cpu_min": min(s["cpu_s_per_million"] for s in taken),
                "cpu_max": max(s["cpu_s_per_million"] for s in taken),
                "records_per_s": statistics.median(s["records_per_s"] for s in taken),
                "peak_kib": statistics.median(s["max_rss_kib"] for s in taken),
                "syscalls_per_thousand": self.bench.syscalls.get((row.name, client)),
                "times_floor": cpu / floor,
                "times_tern": cpu / tern,
                "least_sample_cpu_s": min(s["cpu_s"] for s in taken),
            }
        result["figures"] = self.figures(row, result, tern)
        return result

    @staticmethod
    def figures(row, result, tern):
        against = {"floor": result["floor"]}
        against.update({c: v["cpu_s_per_million"] for c, v in result["clients"].items()
                        if c not in ("floor", "tern")})
        found = [{"what": f"CPU against {client}", "against": client, "measured": tern / cpu,
                  "limit": row.limits[client]} for client, cpu in against.items()]
        calls = result["clients"]["tern"]["syscalls_per_thousand"]
        if calls is not None and row.most_syscalls is not None:
            found.append({"what": "system calls per 1,000 records", "against": None,
                          "measured": calls, "limit": row.most_syscalls})
        for figure in found:
            figure["reached"] = figure["measured"] <= figure["limit"]
        return found

    def faults(self):
        """Why this run does not count, if it does not."""
        args = self.bench.args
        found = [f"without {skipped}" for skipped in self.bench.suite.skipped]
        if args.rounds < FULL_ROUNDS or args.seconds < 1:
            found.append(f"{args.rounds} rounds of {args.seconds} s: a look, not a measurement "
                         f"({FULL_ROUNDS} rounds of 1 s)")
        for result in self.results:
            for client, value in result["clients"].items():
                if value["least_sample_cpu_s"] < args.seconds:
                    found.append(f"{result['row']}: a sample of {client} used only "
                                 f"{value['least_sample_cpu_s']:.2f} s of CPU")
            name, fraction = self.bench.suite.lazy_floor.get(result["row"], (None, 0))
            peer = result["clients"].get(name)
            if peer and result["floor"] * fraction > peer["cpu_s_per_million"]:
                found.append(f"{result['row']}: the floor is more than 1/{fraction} of {name}, "
                             "so it is lazy")
        return found

    def show(self):
        for result in self.results:
            print(f"\n{result['title']}  [{result['row']}]")
            print(f"  {'':12} {'CPU-s/M':>9} {'min':>8} {'max':>8} {'rec/s':>12} "
                  f"{'syscalls/k':>10} {'peak MiB':>9} {'x floor':>8} {'x tern':>7}")
            if "floor" not in result["clients"]:
                print(f"  {'floor':12} {result['floor']:9.4f}")
            for client, value in result["clients"].items():
                calls = value["syscalls_per_thousand"]
                print(f"  {client:12} {value['cpu_s_per_million']:9.4f} {value['cpu_min']:8.4f} "
                      f"{value['cpu_max']:8.4f} {value['records_per_s']:12,.0f} "
                      f"{'-' if calls is None else format(calls, '.3f'):>10} "
                      f"{value['peak_kib'] / 1024:9.1f} {value['times_floor']:8.2f} "
                      f"{value['times_tern']:7.2f}")
            for figure in result["figures"]:
                mark = "reached" if figure["reached"] else "NOT reached"
                print(f"    {figure['what']:32} {figure['measured']:7.3f}  at most "
                      f"{figure['limit']:6.3f}   {mark}")
        figures = [f for r in self.results for f in r["figures"]]
        missed = sum(not f["reached"] for f in figures)
        print(f"\n{len(figures) - missed} of {len(figures)} figures reached, "
              f"{self.bench.args.rounds} rounds; " + ", ".join(
                  v for c, v in sorted(self.bench.versions.items()) if c not in ("floor", "tern")))
        if self.bench.counter.tool != "perf":
            print(f"system calls counted by {self.bench.counter.tool or 'nobody: no perf, no strace'}")
        for fault in self.faults():
            print(f"DOES NOT COUNT: {fault}")


def own_loopback():
    """A network namespace for this run, with Reno: where the system's congestion control paces, as
    BBR does, the kernel's timers for that would be measured, most of all for clients that pause
    between writes. Says what the run has if that is not allowed."""
    control = "/proc/sys/net/ipv4/tcp_congestion_control"
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
        with open(control, "w", encoding="utf-8") as out:
            out.write("reno")
        return "a loopback of its own, Reno"
    except OSError:
        with open(control, encoding="utf-8") as text:
            return f"the system's loopback, {text.read().strip()}"


def machine():
    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((x.split(":", 1)[1].strip() for x in lines if "model name" in x), "")
    except OSError:
        pass
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release,
            "load": os.getloadavg()[0], "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def parse(argv):
    parser = argparse.ArgumentParser(prog="./dev bench compare", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", nargs="?", choices=sorted(SUITES), default="kafka")
    parser.add_argument("--only", action="append", metavar="WORKLOAD", default=[],
                        help="only this one; may be given several times")
    parser.add_argument("--list", action="store_true", help="names of the workloads")
    parser.add_argument("--quick", action="store_true", help="short rounds, few of them: to look")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="CPU of one sample at least (1)")
    parser.add_argument("--librdkafka", metavar="PATH",
                        help="another build of it: its folder, or librdkafka.so.1")
    parser.add_argument("--go-peer", metavar="PROGRAM",
                        help="another build of franz-go's or amqp091-go's program")
    parser.add_argument("--json", metavar="FILE", help="write everything, raw samples included")
    parser.add_argument("--svg", metavar="FILE", help="draw the ratios")
    parser.add_argument("--bin", default=os.path.join(HERE, "..", "bazel-bin", "bench"),
                        help="folder of the built programs")
    args = parser.parse_args(argv)
    args.rounds = args.rounds or (3 if args.quick else FULL_ROUNDS)
    args.seconds = args.seconds or (0.3 if args.quick else 1.0)
    return args


def choose(suite, args):
    known = suite.rows()
    unknown = set(args.only) - {row.name for row in known}
    if unknown:
        raise SystemExit(f"no such workload: {', '.join(sorted(unknown))}; see --list")
    wanted = set(args.only) or {row.name for row in known}
    wanted |= {row.floor_of for row in known if row.name in wanted and row.floor_of}
    return [row for row in known if row.name in wanted]


def main(argv):
    args = parse(argv)
    if args.list:
        for row in SUITES[args.suite].rows():
            print(f"{row.name:28} {row.title}")
        return 0
    suite = SUITES[args.suite](args.bin, args.go_peer)
    chosen = choose(suite, args)
    here = {**machine(), "network": own_loopback()}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(suite, args, folder)
        for skipped in suite.skipped:
            print(f"SKIPPED {skipped}", file=sys.stderr)
        table = Table(bench, chosen, bench.measure(chosen))
    table.show()
    print(f"on {here['network']}")
    found = {"suite": suite.name, "machine": here, "rounds": args.rounds, "seconds": args.seconds,
             "rows": table.results, "does_not_count": table.faults()}
    if args.svg:
        with open(args.svg, "w", encoding="utf-8") as out:
            out.write(picture.draw(found))
    if args.json:
        found["samples"] = {f"{r}/{c}": s for (r, c), s in table.samples.items()}
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(found, out, indent=1)
    reached = all(f["reached"] for r in table.results for f in r["figures"])
    return 0 if reached and not table.faults() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
