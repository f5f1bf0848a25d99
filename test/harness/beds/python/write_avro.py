"""Has fastavro write a container file of `count` rows for each codec, and says how many blocks each has."""
import datetime
import decimal
import json
import os
import sys

import fastavro

SCHEMA = {
    "type": "record",
    "name": "Sale",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"], "default": None},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "unread", "type": {"type": "map", "values": "double"}},
    ],
}
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def row(n):
    return {
        "id": n,
        "name": None if n % 5 == 0 else "é\n" * (n % 40),
        "price": decimal.Decimal(n * 7 - 300).scaleb(-2),
        "at": START + datetime.timedelta(milliseconds=n),
        "tags": ["a"] * (n % 3),
        "unread": {"x": n / 3},
    }


folder, count, *codecs = sys.argv[2:]
with open(sys.argv[1], "w") as out:
    for codec in codecs:
        path = os.path.join(folder, f"{codec}.avro")
        with open(path, "wb") as file:
            fastavro.writer(file, SCHEMA, map(row, range(int(count))), codec=codec, sync_interval=16000)
        with open(path, "rb") as file:
            blocks = sum(1 for _ in fastavro.block_reader(file))
        print(json.dumps({"path": path, "blocks": blocks}), file=out)
