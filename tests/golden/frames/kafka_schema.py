"""Kafka messages from and to bytes, driven by the JSON schemas inside a kafka-clients jar.

Small and slow on purpose: it shares nothing with tern's codecs, so that what it says about captured
bytes is a second opinion. Only the standard library is needed.
"""

import json
import re
import struct
import uuid
import zipfile

NUMBERS = {"int8": "b", "int16": "h", "uint16": "H", "int32": "i", "int64": "q", "float64": "d"}


def snake_case(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def covers(versions, version):
    if versions in (None, "none"):
        return False
    first, _, last = versions.partition("-")
    if first.endswith("+"):
        return version >= int(first[:-1])
    return int(first) <= version <= int(last or first)


class Schemas:
    def __init__(self, jar):
        self.by_key, self.by_name = {}, {}
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if not name.startswith("common/message/") or not name.endswith(".json"):
                    continue
                text = re.sub(r"^\s*//.*$", "", archive.read(name).decode(), flags=re.MULTILINE)
                schema = json.loads(text)
                self.by_name[schema["name"]] = schema
                if schema["type"] in ("request", "response"):
                    self.by_key[schema["apiKey"], schema["type"]] = schema

    def find(self, key, direction):
        return self.by_key.get((key, direction))

    def key_of(self, api):
        return next(k for (k, d), s in self.by_key.items() if s["name"] == api + "Request")


def children(schema, field):
    name = field["type"].removeprefix("[]")
    if "fields" in field:
        return field["fields"]
    return {s["name"]: s["fields"] for s in schema.get("commonStructs", [])}[name]


def default(field):
    kind, value = field["type"], field.get("default")
    if str(value) == "null":
        return None
    if kind.startswith("[]"):
        return []
    if kind == "string":
        return value or ""
    if kind in ("bytes", "records"):
        return b""
    if kind == "uuid":
        return uuid.UUID(int=0)
    if kind == "bool":
        return str(value).lower() == "true"
    if kind in NUMBERS:
        return int(str(value), 0) if value not in (None, "") else 0
    return {}


class Encoder:
    def __init__(self, schema, version):
        self.schema, self.version = schema, version
        self.flexible = covers(schema["flexibleVersions"], version)

    @staticmethod
    def uvarint(n):
        out = bytearray()
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        out.append(n)
        return bytes(out)

    def length(self, n, old):
        return self.uvarint(n + 1) if self.flexible else struct.pack(">" + old, n)

    def value(self, kind, field, value):
        if kind.startswith("[]"):
            if value is None:
                return self.length(-1, "i")
            items = [self.value(kind[2:], field, item) for item in value]
            return self.length(len(items), "i") + b"".join(items)
        if kind in NUMBERS:
            return struct.pack(">" + NUMBERS[kind], value)
        if kind == "bool":
            return b"\1" if value else b"\0"
        if kind == "uuid":
            return value.bytes
        if kind in ("string", "bytes", "records"):
            old = "h" if kind == "string" else "i"
            if value is None:
                return self.length(-1, old)
            data = value.encode() if kind == "string" else value
            return self.length(len(data), old) + data
        if kind == field["type"] and field.get("nullableVersions"):
            return b"\xff" if value is None else b"\1" + self.struct(children(self.schema, field), value)
        return self.struct(children(self.schema, field), value)

    def struct(self, fields, values):
        out, tags = b"", []
        for field in fields:
            if not covers(field["versions"], self.version):
                continue
            value = values.get(field["name"], default(field))
            if covers(field.get("taggedVersions"), self.version):
                if value != default(field):
                    tags.append((field["tag"], self.value(field["type"], field, value)))
                continue
            out += self.value(field["type"], field, value)
        if self.flexible:
            out += self.uvarint(len(tags))
            for tag, data in tags:
                out += self.uvarint(tag) + self.uvarint(len(data)) + data
        return out

    def message(self, values):
        return self.struct(self.schema["fields"], values)


class Decoder:
    """Gives a message as the text that tern prints for it."""

    def __init__(self, schema, version, data, at=0):
        self.schema, self.version, self.data, self.at = schema, version, data, at
        self.flexible = covers(schema["flexibleVersions"], version)

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise ValueError(f"{self.schema['name']} v{self.version} ends early")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, code):
        return struct.unpack(">" + code, self.take(struct.calcsize(">" + code)))[0]

    def uvarint(self):
        n = shift = 0
        while True:
            byte = self.take(1)[0]
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    def length(self, old):
        return self.uvarint() - 1 if self.flexible else self.number(old)

    def value(self, kind, field):
        if kind.startswith("[]"):
            n = self.length("i")
            if n < 0:
                return "null"
            return "[" + ", ".join(self.value(kind[2:], field) for _ in range(n)) + "]"
        if kind in NUMBERS:
            return str(self.number(NUMBERS[kind]))
        if kind == "bool":
            return "true" if self.take(1) != b"\0" else "false"
        if kind == "uuid":
            return str(uuid.UUID(bytes=bytes(self.take(16))))
        if kind == "string":
            n = self.length("h")
            return "null" if n < 0 else quote(self.take(n))
        if kind == "records":
            n = self.length("i")
            return "null" if n < 0 else f"<{len(self.take(n))} bytes>"
        if kind == "bytes":
            n = self.length("i")
            return "null" if n < 0 else show_bytes(self.take(n))
        if kind == field["type"] and field.get("nullableVersions") and self.number("b") < 0:
            return "null"  # a struct of its own, not an element of an array
        return self.struct(children(self.schema, field))

    def struct(self, fields):
        fields = [f for f in fields if covers(f["versions"], self.version)]
        texts, tagged = {}, {}
        for field in fields:
            if covers(field.get("taggedVersions"), self.version):
                tagged[field["tag"]] = field
                texts[field["name"]] = show_default(self.schema, field, self.version)
            else:
                texts[field["name"]] = self.value(field["type"], field)
        if self.flexible:
            for _ in range(self.uvarint()):
                tag, size = self.uvarint(), self.uvarint()
                end = self.at + size
                if tag in tagged:
                    texts[tagged[tag]["name"]] = self.value(tagged[tag]["type"], tagged[tag])
                    assert self.at == end, "a tagged field does not fill its size"
                self.at = end
        return "{" + ", ".join(f"{snake_case(f['name'])}: {texts[f['name']]}" for f in fields) + "}"

    def message(self):
        return self.struct(self.schema["fields"])


def show_bytes(data):
    return "0x" + data[:32].hex() + (f"... ({len(data)} bytes)" if len(data) > 32 else "")


def quote(data):
    out = ""
    for byte in data:
        if byte < 0x20 or byte == 0x7F:
            out += f"\\x{byte:02x}"
        else:
            out += ("\\" if chr(byte) in '"\\' else "") + chr(byte)
    return '"' + out + '"'


def show_default(schema, field, version):
    value = default(field)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quote(value.encode())
    if isinstance(value, dict):
        inner = [f for f in children(schema, field) if covers(f["versions"], version)]
        pairs = (f"{snake_case(f['name'])}: {show_default(schema, f, version)}" for f in inner)
        return "{" + ", ".join(pairs) + "}"
    return str(value)
