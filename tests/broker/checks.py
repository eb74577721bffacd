"""What suites of checks say, one line each, and how many of them passed, failed and were skipped.

Any thread may call these.
"""
import threading

lock = threading.Lock()
counts = {"passed": 0, "failed": 0, "skipped": 0}
HEADS = {"passed": "ok    ", "failed": "FAILED", "skipped": "SKIPPED"}


def say(kind, *words):
    with lock:
        counts[kind] += 1
        print(HEADS[kind], *words, flush=True)


def check(name, condition, detail=""):
    if condition:
        say("passed", name)
    else:
        say("failed", name, detail)
    return condition


def skip(name, why):
    say("skipped", name + ":", why)


def finish():
    """Says the last line, and returns the exit code."""
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    return 1 if counts["failed"] else 0
