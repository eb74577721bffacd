#!/usr/bin/env python3
"""Messages through a real RabbitMQ: tern against rabbitmq-c and amqp091-go.

100 B without properties into a queue that is not durable, confirms on and at most 1,000 messages without
one; then the same messages out of it, prefetch 1,000, all acknowledged. All clients take turns in every
round, each in a process of its own, with the queue empty before. What counts is that tern is not slower
than the faster of the others, with less CPU than any. Starts a RabbitMQ unless told of a broker; user
and password are guest. See README.md.
"""

import os
import statistics
import sys

import real
from suites import SUITES

LIMITS = {"publish": "--window", "consume": "--prefetch"}


def measure(suite, broker, args):
    tern = [os.path.join(args.bin, "..", "client", "cli", "tern"), "amqp"]
    at = ["--quiet", "-u", f"amqp://guest:guest@{broker}"]
    clients = [name for name in suite.clients if name in suite.programs and name != "floor"]
    samples = {(do, client): [] for do in LIMITS for client in clients}
    real.run([*tern, "declare", "queue", "bench", *at, "--transient"])
    try:
        for turn in range(-1, args.rounds):  # the first is for the broker to warm up
            for client in clients if turn % 2 else reversed(clients):
                real.run([*tern, "purge", "bench", *at])
                for do, limit in LIMITS.items():
                    taken = real.report([suite.programs[client][do], "--do", do, "--broker", broker,
                                         "--records", str(args.messages), "--size", "100", limit,
                                         "1000"])
                    if turn >= 0:
                        samples[do, client].append(taken)
    finally:
        real.run([*tern, "delete", "queue", "bench", *at])
    return samples


def show(samples, args):
    clients = list(dict.fromkeys(client for _, client in samples))
    reached = True
    for do in LIMITS:
        print(f"{do} 100 B, {args.messages} messages, {args.rounds} rounds: medians [least, most]")
        rate, cpu = {}, {}
        for client in clients:
            taken = samples[do, client]
            rates = [s["records"] / s["wall_s"] for s in taken]
            cpus = [s["cpu_s_per_million"] for s in taken]
            rate[client], cpu[client] = statistics.median(rates), statistics.median(cpus)
            print(f"  {client:12}  {rate[client]:9.0f} msgs/s [{min(rates):.0f}, {max(rates):.0f}]"
                  f"  {cpu[client]:7.3f} CPU-s per million [{min(cpus):.3f}, {max(cpus):.3f}]")
        others = [client for client in clients if client != "tern"]
        if not others:
            return False
        faster, less = (rate["tern"] / max(rate[c] for c in others),
                        cpu["tern"] / min(cpu[c] for c in others))
        for title, ratio, good in (("rate against the best", faster, faster >= 1),
                                   ("CPU against the best", less, less < 1)):
            reached &= good
            print(f"    {title}  {ratio:6.3f}  {'reached' if good else 'NOT reached'}")
    return reached


def main(argv):
    parser = real.options("rabbitmq", __doc__, port="5672", rounds=5,
                          broker="a broker of yours, with guest")
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--go-peer", help="the program of amqp091-go")
    args = parser.parse_args(argv)
    suite = SUITES["amqp"](args.bin, args.go_peer)
    for missing in suite.skipped:
        print("WITHOUT", missing)
    with real.broker("rabbitmq.sh", args) as broker:
        samples = measure(suite, broker, args)
    return 0 if show(samples, args) and not suite.skipped else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
