#!/usr/bin/env python3
"""Writes messages of groups with the codecs of the Java client, and what they mean, into java_codec.txt.

    make_messages.py CLIENTS_JAR JAVA_CLASS_PATH       (the class path needs Jackson too)

No broker is needed. The values are made up here from Kafka's schemas, WriteMessages.java makes bytes of
them, and kafka_schema.py, which shares nothing with tern or Java, says what the bytes mean. Every
message comes twice in every version: with something in each field, and with null or nothing wherever
that is allowed.

Each entry: a line `frame java_codec API VERSION request|response`, the frame without its size in hex, and
the body as text. For what lies inside other messages: `embedded java_codec NAME VERSION`.
"""

import base64
import json
import pathlib
import subprocess
import sys
import uuid

sys.dont_write_bytecode = True
from kafka_schema import Decoder, Schemas, children, covers  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
APIS = [
    "OffsetCommit", "OffsetFetch", "JoinGroup", "Heartbeat", "LeaveGroup", "SyncGroup", "DescribeGroups",
    "ListGroups", "DeleteGroups", "OffsetDelete", "ConsumerGroupHeartbeat", "ConsumerGroupDescribe",
]  # fmt: skip
EMBEDDED = ["ConsumerProtocolSubscription", "ConsumerProtocolAssignment"]
BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}


class Filler:
    """Values for all fields of a message, no two alike."""

    def __init__(self, schema, version, full):
        self.schema, self.version, self.full, self.count = schema, version, full, 0

    def message(self):
        return self.struct(self.schema["fields"])

    def struct(self, fields):
        return {f["name"][0].lower() + f["name"][1:]: self.field(f)
                for f in fields if covers(f["versions"], self.version)}  # fmt: skip

    def field(self, field):
        if not self.full and covers(field.get("nullableVersions"), self.version):
            return None
        return self.value(field["type"], field)

    def value(self, kind, field):
        self.count += 1
        if kind.startswith("[]"):
            return [self.value(kind[2:], field) for _ in range(2 if self.full else 0)]
        if kind in BITS:
            if not self.full:
                return -1
            # Bytes that differ, so that none is taken for another.
            return int.from_bytes(bytes((self.count + i) % 128 for i in range(BITS[kind] // 8)), "big")
        if kind == "bool":
            return self.full
        if kind == "uuid":
            made = uuid.UUID(int=self.count << 64 | 0xABCDEF) if self.full else uuid.UUID(int=0)
            return base64.urlsafe_b64encode(made.bytes).decode().rstrip("=")
        if kind == "string":
            # Now and then one whose compact length takes two bytes.
            return f"{field['name']} {self.count}" + "." * (130 if self.count % 9 == 4 else 0) if self.full else ""
        if kind == "bytes":
            return base64.b64encode(bytes(range(self.count % 40)) if self.full else b"").decode()
        return self.struct(children(self.schema, field))


def versions(schema):
    first, _, last = schema["validVersions"].partition("-")
    return range(int(first), int(last or first) + 1)


def body_at(schema, version, frame):
    if schema["type"] == "data":
        return 2
    flexible = covers(schema["flexibleVersions"], version)
    if schema["type"] == "response":
        return 5 if flexible else 4
    return 10 + len("java-codec") + (1 if flexible else 0)


def main(arguments):
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    schemas = Schemas(arguments[0])
    names = [api + direction for api in APIS for direction in ("Request", "Response")] + EMBEDDED
    wanted = []
    for name in names:
        schema = schemas.by_name[name]
        for version in versions(schema):
            wanted += [(schema, version, Filler(schema, version, full).message()) for full in (True, False)]
    lines = "".join(f"{schema['name']} {version} {json.dumps(values)}\n" for schema, version, values in wanted)
    made = subprocess.run(["java", "-cp", arguments[1], str(HERE / "WriteMessages.java")], input=lines,
                          capture_output=True, text=True, check=True).stdout.splitlines()  # fmt: skip
    if len(made) != len(wanted):
        raise SystemExit("Java wrote less than it was asked for")
    with open(HERE / "java_codec.txt", "w", encoding="utf-8") as out:
        seen = set()
        for (schema, version, _), text in zip(wanted, made):
            frame, kind = bytes.fromhex(text), schema["type"]
            decoder = Decoder(schema, version, frame, body_at(schema, version, frame))
            meaning = decoder.message()
            if decoder.at != len(frame):
                raise SystemExit(f"{schema['name']} v{version}: {len(frame) - decoder.at} bytes left")
            if kind == "data":
                head = f"embedded java_codec {schema['name']} {version}"
            else:
                head = f"frame java_codec {schema['name'].removesuffix(kind.title())} {version} {kind}"
            if (head, text) not in seen:  # some have nothing to leave out
                out.write(f"{head}\n{text}\n{meaning}\n")
            seen.add((head, text))


if __name__ == "__main__":
    main(sys.argv[1:])
