#!/usr/bin/env python3
"""Writes golden files of this folder with clients that are not Kafka's own: kafka-python, librdkafka.

Outside the build. Needs, best in a virtual environment:  pip install kafka-python crc32c confluent-kafka
    make_records.py make tests/golden/records
    make_records.py read FILE     (hex in, what kafka-python reads out)
librdkafka's batches are fetched, raw, from the mock broker that it brings along; what is in them is what
kafka-python reads, and for those in lz4, snappy and zstd what Java does (`MakeRecords.java again`). The form of the files is told in MakeRecords.java.
"""
import binascii
import pathlib
import re
import socket
import struct
import sys

from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder

T = 1700000000000
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def text(data):
    return "null" if data is None else "'" + bytes(data).hex() + "'"


def header_text(key, value):
    return text(key.encode() if isinstance(key, str) else key) + "=" + text(value)


def batch_line(batch):
    return (
        f"batch base={batch.base_offset} last={batch.last_offset} leader_epoch={batch.leader_epoch} "
        f"crc={batch.crc:08x} codec={CODECS[batch.compression_type]} "
        f"time={'LogAppendTime' if batch.timestamp_type else 'CreateTime'} "
        f"base_time={batch.first_timestamp} max_time={batch.max_timestamp} "
        f"producer={batch.producer_id}/{batch.producer_epoch} sequence={batch.base_sequence} "
        f"count={batch.records_count} transactional={int(batch.is_transactional)} "
        f"control={int(batch.is_control_batch)}"
    )


def dump(data, records_of_all_codecs=True):
    lines = []
    records = MemoryRecords(data)
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        if batch.magic == 2:
            lines.append(batch_line(batch))
            if batch.compression_type > 1 and not records_of_all_codecs:
                lines.append(f"missing codec {CODECS[batch.compression_type]}")
                continue
        for record in batch:
            timestamp = -1 if record.timestamp is None else record.timestamp
            line = f"record offset={record.offset} time={timestamp} key={text(record.key)} value={text(record.value)}"
            for key, value in record.headers:
                line += " " + header_text(key, value)
            lines.append(line)
    return lines


def write(folder, name, what, data, by):
    lines = [f"# {what}. Written by make_records.py with {by}."]
    raw = binascii.hexlify(bytes(data)).decode()
    lines += ["hex " + raw[i : i + 96] for i in range(0, len(raw), 96)]
    lines += dump(bytes(data), records_of_all_codecs=False)
    (folder / f"{name}.hex").write_text("\n".join(lines) + "\n")


ODD = [
    (T, b"key", b"value", []),
    (T + 3, None, b"null key", []),
    (T - 100, b"null value", None, []),
    (T + 100000, b"", b"", []),
    (T + 1, None, None, []),
    (T + 2, b"k", b"v", [("trace", b"00-11"), ("empty", b""), ("null", None), ("", b"x"), ("\u00e4", b"\xff")]),
    (T + 9, b"k" * 70, b"long enough for lengths of two bytes " * 5, []),
]


def python_batch(codec, producer=None):
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 20)
    if producer:
        builder.set_producer_state(*producer)
    for offset, (timestamp, key, value, headers) in enumerate(ODD):
        assert builder.append(offset, timestamp, key, value, headers)
    return builder.build()


def python_legacy(magic, codec):
    builder = LegacyRecordBatchBuilder(magic=magic, compression_type=codec, batch_size=1 << 20)
    for offset, (timestamp, key, value, _) in enumerate(ODD):
        assert builder.append(offset, timestamp if magic else None, key, value)
    data = bytearray(builder.build())
    if codec and magic:  # the broker gives the wrapper the offset of the last record
        struct.pack_into(">q", data, 0, 100 + len(ODD) - 1)
    return data


def raw_fetch(host, port, topic):
    body = struct.pack(">iiiib", -1, 1000, 1, 1 << 20, 0)
    body += struct.pack(">ih", 1, len(topic)) + topic.encode() + struct.pack(">iiqi", 1, 0, 0, 1 << 20)
    request = struct.pack(">hhih", 1, 4, 7, -1) + body
    with socket.create_connection((host, port)) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        response = stream.read(struct.unpack(">i", stream.read(4))[0])
    at = 4 + 4 + 4 + 2 + len(topic) + 4  # correlation, throttle, topics, name, partitions
    _, error, _, _, aborted = struct.unpack_from(">ihqqi", response, at)
    assert error == 0, error
    at += 26 + 16 * max(aborted, 0)
    size = struct.unpack_from(">i", response, at)[0]
    return response[at + 4 : at + 4 + size]


def librdkafka_batch(codec, idempotent):
    import confluent_kafka

    producer = confluent_kafka.Producer({
        "test.mock.num.brokers": 1, "bootstrap.servers": "unused", "compression.codec": codec,
        "linger.ms": 200, "enable.idempotence": idempotent})
    topic = "golden"
    producer.list_topics(topic, timeout=10)
    for _ in range(3):
        for timestamp, key, value, headers in ODD:
            producer.produce(topic, key=key, value=value, headers=headers, timestamp=timestamp, partition=0)
    assert producer.flush(20) == 0
    broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
    return raw_fetch(broker.host, broker.port, topic), confluent_kafka.libversion()[0]


def make(folder):
    import kafka

    python = f"kafka-python {kafka.__version__}"
    write(folder, "python_v2_plain", "v2", python_batch(0), python)
    write(folder, "python_v2_gzip", "v2 in gzip, idempotent", python_batch(1, (123456, 7, 2147483647, False)), python)
    for magic in (0, 1):
        write(folder, f"python_v{magic}_plain", f"v{magic}", python_legacy(magic, 0), python)
        write(folder, f"python_v{magic}_gzip", f"v{magic} in gzip", python_legacy(magic, 1), python)
    for codec in CODECS:
        data, version = librdkafka_batch(codec, idempotent=codec == "gzip")
        write(folder, f"librdkafka_v2_{codec}", f"v2, codec {codec}", data, f"librdkafka {version}")


def main():
    if sys.argv[1] == "make":
        make(pathlib.Path(sys.argv[2]))
    else:
        raw = re.sub(r"\s", "", pathlib.Path(sys.argv[2]).read_text())
        print("\n".join(dump(binascii.unhexlify(raw))))


if __name__ == "__main__":
    main()
