#!/usr/bin/env python3
"""Writes tests/golden/schema.txt from the message schemas inside a kafka-clients jar, or checks it.

    refresh_schema.py kafka-clients-4.4.0.jar           rewrite schema.txt
    refresh_schema.py --check kafka-clients-4.4.0.jar   exit 1 and show the difference if it is stale

schema.txt holds what the schemas say about every message that tern describes, one line per field:

    name type versions [nullable=versions] [tag=number@versions] [ignorable] default=value

Versions are cut to those that the message itself has. tests/kafka/schema_test compares the file with
the descriptions in the code; this script compares it with Kafka. Only the standard library is needed.
"""

import difflib
import json
import pathlib
import re
import sys
import zipfile

# The APIs that tern describes. A new one needs its name here.
APIS = [
    "ApiVersions",
    "ConsumerGroupDescribe",
    "ConsumerGroupHeartbeat",
    "CreatePartitions",
    "CreateTopics",
    "DeleteGroups",
    "DeleteTopics",
    "DescribeConfigs",
    "DescribeGroups",
    "Fetch",
    "FindCoordinator",
    "Heartbeat",
    "InitProducerId",
    "JoinGroup",
    "LeaveGroup",
    "ListGroups",
    "ListOffsets",
    "Metadata",
    "OffsetCommit",
    "OffsetDelete",
    "OffsetFetch",
    "OffsetForLeaderEpoch",
    "Produce",
    "SyncGroup",
]
# What lies inside other messages and has no key.
EMBEDDED = [
    "ConsumerProtocolAssignment",
    "ConsumerProtocolSubscription",
]

GOLDEN = pathlib.Path(__file__).resolve().parent / "schema.txt"


def load(jar, name):
    """One schema. The files are JSON with comments on lines of their own."""
    text = jar.read(f"common/message/{name}.json").decode()
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def snake_case(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def parse_range(text, limit):
    """(first, last) of "3+", "0-12", "7" or "none", cut to `limit`; None if nothing is left."""
    if text == "none":
        return None
    match = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
    first = int(match[1])
    last = limit[1] if match[2] == "+" else int(match[3] or first)
    first, last = max(first, limit[0]), min(last, limit[1])
    return (first, last) if first <= last else None


def show(versions):
    return f"{versions[0]}-{versions[1]}"


INTEGERS = {"int8", "int16", "uint16", "int32", "uint32", "int64"}


def type_text(kind):
    if kind.startswith("[]"):
        return "[]" + type_text(kind[2:])
    scalar = INTEGERS | {"bool", "float64", "string", "bytes", "records", "uuid"}
    return kind if kind in scalar else "struct"


def default_text(field):
    """Defaults are strings, numbers (hex too) or words; a missing one is the zero of its type."""
    kind, value = field["type"], field.get("default")
    value = None if value is None else str(value)
    if value == "null":
        return "null"
    if kind.startswith("[]"):
        return "[]"
    if kind in ("string", "bytes", "records"):
        return '"' + (value or "") + '"'
    if kind == "uuid":
        return "zero"
    if kind == "bool":
        return (value or "false").lower()
    if kind in INTEGERS:
        return str(int(value, 0) if value else 0)
    if kind == "float64":
        return value or "0.000000"
    return "{}"


def dump_fields(fields, limit, depth, structs, out):
    for field in fields:
        versions = parse_range(field["versions"], limit)
        if versions is None:
            raise SystemExit(f"{field['name']} is in no version: describe it or teach this script")
        line = f"{'  ' * depth}{snake_case(field['name'])} {type_text(field['type'])} {show(versions)}"
        nullable = parse_range(field.get("nullableVersions", "none"), versions)
        if nullable:
            line += f" nullable={show(nullable)}"
        if "tag" in field:
            line += f" tag={field['tag']}@{show(parse_range(field['taggedVersions'], versions))}"
        if field.get("ignorable") in (True, "true"):
            line += " ignorable"
        out.append(f"{line} default={default_text(field)}")
        children = field.get("fields") or structs.get(field["type"].removeprefix("[]"))
        if children:
            dump_fields(children, limit, depth + 1, structs, out)


def dump_message(schema, out):
    bounds = schema["validVersions"].split("-")
    limit = (int(bounds[0]), int(bounds[-1]))
    flexible = parse_range(schema["flexibleVersions"], limit)
    key = f" key={schema['apiKey']}" if "apiKey" in schema else ""
    line = f"{schema['name']}{key} versions={show(limit)}"
    line += f" flexible={show(flexible) if flexible else 'none'}"
    if schema.get("latestVersionUnstable"):
        line += f" unstable={limit[1]}"
    out.append(line)
    structs = {s["name"]: s["fields"] for s in schema.get("commonStructs", [])}
    dump_fields(schema["fields"], limit, 1, structs, out)


def dump(path):
    out = []
    with zipfile.ZipFile(path) as jar:
        for api in APIS:
            for direction in ("Request", "Response"):
                dump_message(load(jar, api + direction), out)
        for name in EMBEDDED:
            dump_message(load(jar, name), out)
    return "\n".join(out) + "\n"


def main(arguments):
    check = "--check" in arguments
    paths = [a for a in arguments if a != "--check"]
    if len(paths) != 1:
        raise SystemExit(__doc__)
    fresh = dump(paths[0])
    if not check:
        GOLDEN.write_text(fresh)
        return 0
    committed = GOLDEN.read_text()
    if committed == fresh:
        print(f"schema.txt agrees with {paths[0]}")
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(
            committed.splitlines(True), fresh.splitlines(True), "schema.txt", paths[0]
        )
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
