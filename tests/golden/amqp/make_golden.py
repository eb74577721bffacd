#!/usr/bin/env python3
"""Writes frames.txt and schema.txt: AMQP as other clients encode and describe it.

    pip install --target /tmp/peers pamqp==4.0.1 pika==1.4.4
    PYTHONPATH=/tmp/peers python3 tests/golden/amqp/make_golden.py

frames.txt: one frame a line, as `source channel hex text`. The bytes are from pamqp or pika; the
text says what was encoded, in the form in which tern prints it, and is made here from the values
that were handed in, not from the bytes.
schema.txt: every method with its number, its replies and the types of its fields, as pamqp has
them; whether content follows is pika's word. Neither has the class access any more: those two
methods are copied by hand from RabbitMQ's own amqp-rabbitmq-0.9.1.json.
"""

import datetime
import decimal
import itertools
import pathlib
import random
import re

import pamqp.body
import pamqp.commands
import pamqp.frame
import pamqp.header
import pamqp.heartbeat
import pika.frame
import pika.spec

FOLDER = pathlib.Path(__file__).parent
RENAMED = {"exchange_type": "type", "message_type": "type", "nowait": "no_wait", "global_": "global"}
RESERVED = {"ticket", "capabilities", "insist", "known_hosts", "out_of_band", "channel_id"}
SECRET = {"response", "new_secret"}
SECONDS = 1700000000
TIME = datetime.datetime.fromtimestamp(SECONDS, datetime.timezone.utc)


def quoted(text):
    data = text.encode() if isinstance(text, str) else bytes(text)
    out = ""
    for byte in data:
        if byte < 0x20 or byte == 0x7F:
            out += f"\\x{byte:02x}"
        else:
            out += ("\\" if byte in b'"\\' else "") + bytes([byte]).decode("latin-1")
    return '"' + out + '"'


def pamqp_integer(number):
    for tag, low, high in (("b", -(2**7), 2**7), ("s", -(2**15), 2**15), ("u", 0, 2**16),
                           ("I", -(2**31), 2**31), ("i", 0, 2**32), ("l", -(2**63), 2**63)):
        if low <= number < high:
            return tag
    raise ValueError(number)


def pika_integer(number):
    return "I" if -(2**31) <= number < 2**31 else "l"


def value_text(value, integer):
    if value is None:
        return "V"
    if isinstance(value, bool):
        return "t " + str(value).lower()
    if isinstance(value, int):
        return f"{integer(value)} {value}"
    if isinstance(value, float):
        return f"f {value:f}"
    if isinstance(value, decimal.Decimal):
        sign, digits, exponent = value.as_tuple()
        return f"D {''.join(map(str, digits))}/10^{-exponent}"
    if isinstance(value, datetime.datetime):
        return f"T {SECONDS}"
    if isinstance(value, str):
        return "S " + quoted(value)
    if isinstance(value, (bytes, bytearray)):
        return "x 0x" + value.hex()
    if isinstance(value, list):
        return "A [" + ", ".join(value_text(item, integer) for item in value) + "]"
    return "F " + table_text(value, integer)


def table_text(table, integer):
    return "{" + ", ".join(f"{quoted(k)}: {value_text(v, integer)}" for k, v in table.items()) + "}"


def field_text(name, kind, value, integer):
    name = RENAMED.get(name, name)
    if name in SECRET:
        return name + ": ***"
    if kind == "bit":
        return f"{name}: {str(bool(value)).lower()}"
    if kind == "table":
        return f"{name}: {table_text(value or {}, integer)}"
    if kind in ("shortstr", "longstr"):
        return f"{name}: {quoted(value)}"
    if kind == "timestamp":
        return f"{name}: {SECONDS}"
    return f"{name}: {value}"


def tern_name(command):
    cls, name = command.name.split(".")
    return cls.lower() + "." + re.sub("(?<!^)([A-Z])", r"-\1", name).lower()


TABLE = {
    "nothing": None, "yes": True, "no": False, "tiny": -5, "small": -300, "port": 60000,
    "medium": -70000, "large": 4000000000, "huge": -(2**62), "ratio": 0.5,
    "price": decimal.Decimal("3.14"), "when": TIME, "name": "caf\u00e9", "raw": bytearray(b"\x00\xff"),
    "empty": "", "list": [1, "two", [], [None, {"deep": True}]], "table": {"inner": {"x-match": "all"}},
    "no fields": {}, "k" * 128: "long name",
}  # fmt: skip
TABLE = dict(sorted(TABLE.items()))  # as pamqp writes them
PIKA_TABLE = {key: bytes(value) if isinstance(value, bytearray) else value
              for key, value in TABLE.items() if key not in ("ratio", "large")}  # fmt: skip

VALUES = {
    "octet": [0, 9], "short": [0, 1, 65535], "long": [0, 131072, 2**32 - 1],
    "longlong": [1, 2**40, 2**63 - 1], "shortstr": ["", "amq.topic", "a" * 127],
    "longstr": ["", "PLAIN AMQPLAIN", "x" * 300], "table": [{}, {"x-max-length": 1000}, TABLE],
}  # fmt: skip


def method_frames():
    """Every method, with every bit alone and all together, and every other value there is."""
    rng = random.Random(6)
    for index in sorted(pamqp.commands.INDEX_MAPPING):
        command = pamqp.commands.INDEX_MAPPING[index]
        fields = [(name, command.amqp_type(name)) for name in command.attributes()]
        reserved = RESERVED | ({"cluster_id"} if command.name == "Basic.GetEmpty" else set())
        bits = [name for name, kind in fields if kind == "bit" and name not in reserved]
        for pattern in [(), tuple(bits)] + [(bit,) for bit in bits]:
            arguments = {}
            for name, kind in fields:
                if kind == "bit":
                    arguments[name] = name in pattern
                elif name not in reserved:
                    arguments[name] = rng.choice(VALUES[kind])
            keep = {k: v for k, v in arguments.items() if k not in reserved}
            try:
                frame = command(**keep)
            except ValueError:  # pamqp is stricter than the protocol about some names
                keep = {k: ("name" if isinstance(v, str) else v) for k, v in keep.items()}
                frame = command(**keep)
            # pamqp insists on "0" in some reserved strings, which 0-9-1 does not ask for.
            command.validate = lambda self: None
            for name, kind in fields:
                if name in reserved and kind.endswith("str"):
                    setattr(frame, name, "")
            channel = 0 if command.name.startswith("Connection") else rng.choice([1, 2047, 65535])
            text = ", ".join(field_text(name, kind, keep[name], pamqp_integer)
                             for name, kind in fields if name not in reserved)  # fmt: skip
            yield "pamqp", channel, pamqp.frame.marshal(frame, channel), \
                f"{tern_name(command)}{{{text}}}"


PROPERTIES = {
    "content_type": "text/plain", "content_encoding": "gzip", "headers": TABLE, "delivery_mode": 2,
    "priority": 9, "correlation_id": "c-1", "reply_to": "amq.rabbitmq.reply-to", "expiration": "60000",
    "message_id": "m-1", "timestamp": TIME, "message_type": "order", "user_id": "guest", "app_id": "app",
}  # fmt: skip
KINDS = {"headers": "table", "delivery_mode": "octet", "priority": "octet", "timestamp": "timestamp"}


def header_text(size, values, integer):
    return f"header {size} {{" + ", ".join(
        field_text(name, KINDS.get(name, "shortstr"), value, integer) for name, value in values.items()
    ) + "}"


def header_frames():
    sets = [{}, PROPERTIES] + [{name: value} for name, value in PROPERTIES.items()]
    for size, values in zip(itertools.cycle([0, 1, 2**40]), sets):
        properties = pamqp.commands.Basic.Properties(**values)
        frame = pamqp.header.ContentHeader(0, size, properties)
        yield "pamqp", 1, pamqp.frame.marshal(frame, 1), header_text(size, values, pamqp_integer)
    for values in ({}, dict(PROPERTIES, headers=PIKA_TABLE, timestamp=SECONDS)):
        named = {RENAMED.get(k, k): v for k, v in values.items()}
        named["cluster_id"] = "gone"
        frame = pika.frame.Header(7, 5, pika.spec.BasicProperties(**named))
        yield "pika", 7, frame.marshal(), header_text(5, dict(values, cluster_id="gone"), pika_integer)


def pika_frames():
    spec = pika.spec
    arguments = {"arguments": PIKA_TABLE}
    text = table_text(PIKA_TABLE, pika_integer)
    umlauts = "\u00e4" * 100
    cases = [
        (spec.Queue.Declare(queue="q", durable=True, auto_delete=True, **arguments),
         'queue.declare{queue: "q", passive: false, durable: true, exclusive: false, '
         f"auto_delete: true, no_wait: false, arguments: {text}}}"),
        (spec.Exchange.Unbind(destination="d", source="s", routing_key="#", **arguments),
         'exchange.unbind{destination: "d", source: "s", routing_key: "#", no_wait: false, '
         f"arguments: {text}}}"),
        (spec.Basic.Publish(exchange="", routing_key=umlauts, mandatory=True),
         f'basic.publish{{exchange: "", routing_key: {quoted(umlauts)}, mandatory: true, '
         "immediate: false}"),
        (spec.Basic.Nack(delivery_tag=2**64 - 1, multiple=True, requeue=False),
         f"basic.nack{{delivery_tag: {2**64 - 1}, multiple: true, requeue: false}}"),
        (spec.Connection.UpdateSecret("token", "rotated"),
         'connection.update-secret{new_secret: ***, reason: "rotated"}'),
    ]  # fmt: skip
    for method, expected in cases:
        yield "pika", 3, pika.frame.Method(3, method).marshal(), expected


def other_frames():
    yield "pamqp", 0, pamqp.frame.marshal(pamqp.heartbeat.Heartbeat(), 0), "heartbeat"
    yield "pika", 0, pika.frame.Heartbeat().marshal(), "heartbeat"
    yield "pamqp", 5, pamqp.frame.marshal(pamqp.body.ContentBody(b"hello"), 5), "body hello"
    yield "pika", 5, pika.frame.Body(5, b"hello").marshal(), "body hello"


ACCESS = """access.request 30.10
  -> access.request-ok
  realm shortstr
  exclusive bit
  passive bit
  active bit
  write bit
  read bit
access.request-ok 30.11
  ticket short
"""


def schema():
    for index in sorted(pamqp.commands.INDEX_MAPPING):
        command = pamqp.commands.INDEX_MAPPING[index]
        if index >> 16 == 40 and index & 0xFFFF == 10:
            yield ACCESS
        content = " content" if pika.spec.has_content(index) else ""
        yield f"{tern_name(command)} {index >> 16}.{index & 0xFFFF}{content}\n"
        for reply in command.valid_responses if command.synchronous else []:
            cls, name = reply.split(".")
            yield f"  -> {tern_name(getattr(getattr(pamqp.commands, cls), name))}\n"
        for field in command.attributes():
            old = field in RESERVED or command.name == "Basic.GetEmpty"
            name = "reserved" if old else RENAMED.get(field, field)
            yield f"  {name} {command.amqp_type(field)}\n"


def main():
    frames = itertools.chain(method_frames(), header_frames(), pika_frames(), other_frames())
    with open(FOLDER / "frames.txt", "w", encoding="latin-1") as out:
        for source, channel, data, text in frames:
            out.write(f"{source} {channel} {data.hex()} {text}\n")
    (FOLDER / "schema.txt").write_text("".join(schema()))


main()
