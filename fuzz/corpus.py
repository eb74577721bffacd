#!/usr/bin/env python3
"""The committed corpora: fuzz/corpus/TARGET.txt, one input a line, as its name and its bytes in hex.

  corpus.py seeds PROGRAM              write anew what names say: golden_* comes from tests/golden (bytes
                                       of real brokers and clients), seed_* from PROGRAM (//fuzz:seeds)
  corpus.py unpack TARGET FOLDER       each input as a file, for libFuzzer
  corpus.py add TARGET NAME FILE       an input that broke something; NAME says what
  corpus.py merge TARGET FUZZER FOLDER write anew the auto_* lines: of them and of FOLDER what FUZZER
                                       (TARGET_fuzz) needs to reach code the other lines do not
  corpus.py dictionary                 write anew properties.dict: the names and words that
                                       client/kafka/properties.cc knows
  corpus.py sizes                      how many inputs and bytes there are
"""

import gzip
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "tests" / "golden"
LONGEST_AUTO = 1024


def read(target):
    path = HERE / "corpus" / f"{target}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: bytes.fromhex("".join(rest)) for name, *rest in (line.split(" ") for line in lines)}


def write(target, inputs):
    """In order of name; of two with the same bytes the one whose name comes first stays."""
    lines, seen = [], set()
    for name, data in sorted(inputs.items(), key=lambda item: (item[0].startswith("auto_"), item[0])):
        if data not in seen:
            seen.add(data)
            lines.append(f"{name} {data.hex()}".rstrip() + "\n")
    (HERE / "corpus").mkdir(exist_ok=True)
    (HERE / "corpus" / f"{target}.txt").write_text("".join(lines))


def golden_frames():
    """The oldest and the newest version of each API and direction that a broker or client sent."""
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
    keys = {api: next(iter(frames.values()))[1] for (api, way), frames in seen.items() if way == "request"}
    for (api, direction), versions in seen.items():
        for version in {min(versions), max(versions)}:
            prefix = bytes([0]) if direction == "request" else bytes([1, keys[api], version])
            yield "kafka_decode", f"{api}_{direction}_{version}", prefix + versions[version]


def requests_of(source):
    """API, version and the action by which the client of that target sends it."""
    lines = (GOLDEN / "frames" / f"{source}.txt").read_text().splitlines()
    for head, body in zip(lines, lines[1:]):
        if head.startswith("frame ") and head.split()[4] == "request":
            frame = bytes.fromhex(body)
            yield head.split()[2], int(head.split()[3]), bytes([0]) + len(frame).to_bytes(2, "big") + frame


def golden_sessions():
    """What a client said to a real broker, each request alone, and one of each kind in a row; where
    groups are concerned, behind those that make the broker a coordinator."""
    rows = {}
    for source, kind in (("walk", ""), ("groups", "_of_groups")):
        for api, version, action in requests_of(source):
            yield "hostile_client", f"{api}_{version}", bytes([0]) + action
            rows.setdefault("oldest" + kind, {}).setdefault(api, action)
            rows.setdefault("newest" + kind, {})[api] = action
    find = rows["oldest"]["FindCoordinator"]
    order = "ApiVersions Metadata InitProducerId Produce Fetch ListOffsets JoinGroup SyncGroup".split()
    for name, row in rows.items():
        last = [api for api in row if api not in order]
        session = b"".join(row[api] for api in [*(api for api in order if api in row), *sorted(last)])
        session = find * 2 + session if "groups" in name else session
        yield "hostile_client", f"{name}_in_a_row", bytes([0]) + session
        yield "hostile_client", f"{name}_in_pieces", bytes([0x21]) + session


def golden_records():
    for path in sorted((GOLDEN / "records").glob("*.hex")):
        lines = path.read_text().splitlines()
        data = bytes.fromhex("".join(line[4:] for line in lines if line.startswith("hex ")))
        if data and len(data) <= 2048:
            if "_v0_" in path.stem or "_v1_" in path.stem:
                yield "legacy", path.stem, bytes([0]) + data
            else:
                yield "records", path.stem, bytes([128]) + data


def golden_gzip():
    """Written by Python's gzip; with a file name and a comment, as some writers leave them."""
    text = b"tern tern tern sterna paradisaea " * 8
    packed = gzip.compress(text, mtime=0)
    yield "gzip", "packed", bytes([0]) + packed
    yield "gzip", "two_members", bytes([0]) + packed * 2
    named = packed[:3] + bytes([0x18]) + packed[4:10] + b"name\0comment\0" + packed[10:]
    yield "gzip", "named", bytes([0]) + named


def golden_codecs():
    """What Java and librdkafka have compressed: the records fields of their batches."""
    for number, codec in enumerate(("lz4", "snappy", "zstd")):
        for path in sorted((GOLDEN / "records").glob(f"*_v2_{codec}*.hex")):
            lines = path.read_text().splitlines()
            batch = bytes.fromhex("".join(line[4:] for line in lines if line.startswith("hex ")))
            records = batch[61:]
            yield "codecs", path.stem, bytes([number]) + records
            yield "codecs", path.stem + "_twice", bytes([number]) + records * 2


def golden_amqp():
    """One frame of each kind and method as each client wrote it, and all of a client's in a row."""
    seen, streams = {}, {}
    for line in (GOLDEN / "amqp" / "frames.txt").read_text().splitlines():
        source, _, frame, text = line.split(" ", 3)
        frame, name = bytes.fromhex(frame), text.split("{")[0].split(" ")[0].replace(".", "_")
        if len(frame) > 600:
            continue
        if frame[0] in (1, 2) and (source, name) not in seen:
            seen[source, name] = bytes([frame[0] - 1]) + frame[7:-1]
            streams[source] = streams.get(source, b"") + frame
    for (source, name), data in seen.items():
        yield "amqp_decode", f"{source}_{name}", data
    for source, stream in streams.items():
        yield "amqp_decode", f"{source}_stream", bytes([3, 1, 2, 0]) + stream


def seeds(program):
    made = {}
    golden = [golden_frames(), golden_sessions(), golden_records(), golden_gzip(), golden_codecs(),
              golden_amqp()]
    for target, name, data in (each for some in golden for each in some):
        made.setdefault(target, {})[f"golden_{name}"] = data
    for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines():
        target, name, *rest = line.split(" ")
        made.setdefault(target, {})[f"seed_{name}"] = bytes.fromhex("".join(rest))
    for target, inputs in made.items():
        kept = {n: d for n, d in read(target).items() if not n.startswith(("golden_", "seed_"))}
        write(target, {**kept, **inputs})


def unpack(target, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in read(target).items():
        (folder / name).write_bytes(data)


def merge(target, fuzzer, folder):
    named = {n: d for n, d in read(target).items() if not n.startswith("auto_")}
    with tempfile.TemporaryDirectory() as merged, tempfile.TemporaryDirectory() as found:
        for name, data in named.items():
            (pathlib.Path(merged) / name).write_bytes(data)
        unpack(target, found)
        for path in pathlib.Path(folder).iterdir():
            data = path.read_bytes()
            if len(data) <= LONGEST_AUTO:
                (pathlib.Path(found) / hashlib.sha1(data).hexdigest()).write_bytes(data)
        # By code reached alone: with how often it was, the corpora would be ten times as large.
        command = [fuzzer, "-merge=1", "-use_counters=0", merged, found]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        for path in pathlib.Path(merged).iterdir():
            if path.name not in named:
                data = path.read_bytes()
                named[f"auto_{hashlib.sha1(data).hexdigest()[:10]}"] = data
    write(target, named)


def dictionary():
    """What names a setting or is one of its values: a word in quotes that begins an initialiser, or
    stands where a harmless value does."""
    source = (HERE.parent / "client" / "kafka" / "properties.cc").read_text()
    words = set(re.findall(r'[{,]\s*"([A-Za-z0-9_.-]+)"', source)) | {"true", "false", "gzip", "a:1,b:2"}
    lines = "".join(f'"{word}"\n' for word in sorted(words))
    (HERE / "properties.dict").write_text(f"# Written by corpus.py dictionary.\n{lines}")


def sizes():
    for path in sorted((HERE / "corpus").glob("*.txt")):
        inputs = read(path.stem).values()
        print(f"{path.stem}: {len(inputs)} inputs, {sum(map(len, inputs))} bytes")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["seeds", program]:
            seeds(program)
        case ["unpack", target, folder]:
            unpack(target, folder)
        case ["add", target, name, file]:
            write(target, {**read(target), name: pathlib.Path(file).read_bytes()})
        case ["merge", target, fuzzer, folder]:
            merge(target, fuzzer, folder)
        case ["dictionary"]:
            dictionary()
        case ["sizes"]:
            sizes()
        case _:
            sys.exit(__doc__)
