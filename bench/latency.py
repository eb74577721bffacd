#!/usr/bin/env python3
"""From produce to its acknowledgement by a real broker: tern against librdkafka.

1,000 records of 100 B a second (an open loop: each counts from the moment it was due), linger 0,
acks=all, idempotent; one thread sends, the client's is told. Both take turns in every round, each in
a process of its own. Starts a node of Apache Kafka unless told of a broker. See README.md.
"""

import json
import os
import statistics
import sys

import real


def sample(program, options, broker, args):
    return real.report([program, *options, "--broker", broker, "--topic", "bench-latency", "--rate",
                        str(args.rate), "--records", str(args.rate * args.seconds)],
                       timeout=args.seconds + 60)


def measure(broker, args):
    clients = {
        "tern": (os.path.join(args.bin, "tern_latency"), []),
        "librdkafka": (os.path.join(args.bin, "peers", "rdkafka_peer"),
                       ["--do", "produce", "--linger-ms", "0"]),
    }
    samples = {client: [] for client in clients}
    for turn in range(-1, args.rounds):
        # Who goes first changes; the first turn of all is for the broker to warm up.
        for client in sorted(clients, reverse=turn % 2 == 0):
            taken = sample(*clients[client], broker, args)
            if turn >= 0:
                samples[client].append(taken)
    return samples


def show(samples, args):
    print(f"produce to acknowledgement, {args.rate} records/s, linger 0, {args.rounds} rounds of "
          f"{args.seconds} s: medians [least, most] in microseconds")
    middle = {}
    for client, taken in samples.items():
        line = f"  {taken[0]['client']:18}"
        for field in ("p50_us", "p99_us", "p999_us"):
            values = [s[field] for s in taken]
            middle[client, field] = statistics.median(values)
            line += (f"  {field[:-3]} {middle[client, field]:8.1f} [{min(values):.0f}, "
                     f"{max(values):.0f}]")
        print(line)
    reached = True
    for field in ("p50_us", "p99_us"):
        ratio = middle["tern", field] / middle["librdkafka", field]
        reached &= ratio <= 1
        print(f"    {field[:-3]} against librdkafka  {ratio:6.3f}  at most  1.000   "
              f"{'reached' if ratio <= 1 else 'NOT reached'}")
    return reached


def main(argv):
    parser = real.options("latency", __doc__, port="9092", rounds=7)
    parser.add_argument("--seconds", type=int, default=10, help="of a sample")
    parser.add_argument("--rate", type=int, default=1000, help="records a second")
    parser.add_argument("--json", metavar="FILE", help="write every sample")
    args = parser.parse_args(argv)
    with real.broker("kafka.sh", args) as broker:
        samples = measure(broker, args)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(samples, out, indent=1)
    return 0 if show(samples, args) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
