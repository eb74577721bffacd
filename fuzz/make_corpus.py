#!/usr/bin/env python3
"""Writes the seed corpora from the golden bytes of real brokers and clients (tests/golden).

To be run after those have changed. What fuzzers find on their own is not kept here, except an input
that found a bug: give it a name that says which, and this script leaves it alone.
"""

import gzip
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "tests" / "golden"


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"golden_{name}").write_bytes(data)


def frames():
    """The newest and the oldest version of each API and direction that a real broker or client sent."""
    seen = {}
    for path in sorted((GOLDEN / "frames").glob("*.txt")):
        lines = path.read_text().splitlines()
        for head, body in zip(lines, lines[1:]):
            if not head.startswith("frame "):
                continue
            _, _, api, version, direction = head.split()[:5]
            frame = bytes.fromhex(body)
            if len(frame) <= 1024:
                seen.setdefault((api, direction), {}).setdefault(int(version), frame)
    keys = {}
    for (api, direction), versions in seen.items():
        if direction == "request":
            keys[api] = next(iter(versions.values()))[1]
    for (api, direction), versions in seen.items():
        for version in {min(versions), max(versions)}:
            prefix = bytes([0]) if direction == "request" else bytes([1, keys[api], version])
            write("kafka_decode", f"{api}_{direction}_{version}", prefix + versions[version])


def records():
    for path in sorted((GOLDEN / "records").glob("*.hex")):
        lines = path.read_text().splitlines()
        data = bytes.fromhex("".join(line[4:] for line in lines if line.startswith("hex ")))
        if data and len(data) <= 2048:
            write("records", path.stem, data)


def others():
    text = b"tern tern tern sterna paradisaea " * 8
    write("gzip", "packed", bytes([0]) + gzip.compress(text, mtime=0))
    write("gzip", "two_members", bytes([0]) + gzip.compress(text, mtime=0) * 2)
    write("gzip", "named", bytes([0]) + named_gzip(text))
    write("gzip", "plain_fast", bytes([1]) + text)
    write("gzip", "plain_small", bytes([9]) + text)
    write("numbers", "small", bytes(8) + b"\x80" + b"\x01" + bytes(range(256)))
    write("numbers", "full", b"\xff" * 8 + b"\x20" + b"\xff" * 9 + b"\x01" + bytes(range(100)))
    write("numbers", "too_long", b"\x7f" * 8 + b"\xff" + b"\x80" * 11)


def named_gzip(text):
    """With a file name and a comment in front, as some writers leave them."""
    packed = gzip.compress(text, mtime=0)
    return packed[:3] + bytes([0x18]) + packed[4:10] + b"name\0comment\0" + packed[10:]


if __name__ == "__main__":
    frames()
    records()
    others()
    for corpus in sorted((HERE / "corpus").iterdir()):
        files = list(corpus.iterdir())
        print(f"{corpus.name}: {len(files)} files, {sum(f.stat().st_size for f in files)} bytes")
