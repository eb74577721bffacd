"""What the comparisons at a real broker share: their options, its start and end, programs that report."""

import argparse
import contextlib
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def options(name, doc, *, port, rounds, broker="a broker of yours"):
    parser = argparse.ArgumentParser(prog="./dev bench " + name, description=doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", metavar="HOST:PORT", help=broker)
    parser.add_argument("--port", default=port, help="of the one that is started")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--bin", default=os.path.join(HERE, "..", "bazel-bin", "bench"),
                        help="folder of the built programs")
    return parser


@contextlib.contextmanager
def broker(script, args):
    """The one that was named, or one that `script` of tests/real starts and stops."""
    if args.broker is not None:
        yield args.broker
        return
    control = os.path.join(HERE, "..", "tests", "real", script)
    at = subprocess.run([control, "start", "--port", args.port], stdout=subprocess.PIPE, text=True,
                        check=True).stdout.strip()
    try:
        yield at
    finally:
        subprocess.run([control, "stop", "--port", args.port], check=False)


def run(command, timeout=300):
    """Returns what the command has printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def report(command, timeout=300):
    """The same for a program whose last line is JSON: what that says."""
    return json.loads(run(command, timeout).strip().splitlines()[-1])
