"""Writes Delta tables with delta-rs: each argument is a step, `name` or `name=value`, on the table that comes first."""
import datetime
import decimal
import json
import os
import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

out = open(sys.argv[1], "w")
path = sys.argv[2]


def rows(start, count):
    numbers = range(start, start + count)
    return pa.table({
        "id": pa.array(numbers, pa.int64()),
        "name": pa.array([None if n % 5 == 0 else f"n\u00e9 {n}" for n in numbers]),
        "amount": pa.array([n / 3 for n in numbers], pa.float64()),
        "at": pa.array([1_700_000_000_000_000 + n * 1000 for n in numbers], pa.timestamp("us", tz="UTC")),
        "ok": pa.array([n % 2 == 0 for n in numbers]),
        "price": pa.array([decimal.Decimal(n) / 4 for n in numbers], pa.decimal128(20, 2)),
        "day": pa.array([datetime.date(2026, 1, 1) + datetime.timedelta(days=n % 3) for n in numbers]),
        "raw": pa.array([bytes([n % 256, 255]) for n in numbers]),
    })


def mixed(start, count):
    """Rows whose values a job has no types for: microseconds, local times, small and large integers."""
    numbers = range(start, start + count)
    micros = [1_700_000_000_123_456 + n * 1001 for n in numbers]
    return pa.table({
        "id": pa.array(numbers, pa.int64()),
        "name": pa.array([f"name {n}" for n in numbers]),
        "at": pa.array(micros, pa.timestamp("us", tz="UTC")),
        "local": pa.array([-n for n in micros], pa.timestamp("us")),
        "big": pa.array([2**62 + n for n in numbers], pa.int64()),
        "whole": pa.array([2**31 - 1 - n for n in numbers], pa.int32()),
        "half": pa.array([n - 2**15 for n in numbers], pa.int16()),
        "tiny": pa.array([n % 256 - 128 for n in numbers], pa.int8()),
        "price": pa.array([decimal.Decimal(n) / 4 for n in numbers], pa.decimal128(38, 10)),
        "amount": pa.array([None if n % 5 == 0 else n / 3 for n in numbers], pa.float64()),
        "day": pa.array([datetime.date(1969, 12, 30) + datetime.timedelta(days=n) for n in numbers]),
        "ok": pa.array([None if n % 7 == 0 else n % 2 == 0 for n in numbers]),
        "raw": pa.array([bytes([n % 256, 255, 0]) for n in numbers]),
    })


def append_again(data):
    """delta-rs refuses an append that others have overtaken by removing a file, and leaves the repetition to its caller."""
    while True:
        try:
            return write_deltalake(path, data, mode="append")
        except CommitFailedError:
            pass


for step in sys.argv[3:]:
    name, _, value = step.partition("=")
    if name == "append":
        start, count = value.split("+")
        write_deltalake(path, rows(int(start), int(count)), mode="append")
    elif name == "appendByDay":
        start, count = value.split("+")
        write_deltalake(path, rows(int(start), int(count)), mode="append", partition_by=["day"])
    elif name == "mixed":
        start, count = value.split("+")
        write_deltalake(path, mixed(int(start), int(count)), mode="append")
    elif name == "appendEach":
        start, count = value.split("+")
        for number in range(int(start), int(start) + int(count)):
            append_again(rows(number, 1).select(["id", "name"]))
    elif name == "checkpoint":
        DeltaTable(path).create_checkpoint()
    elif name == "optimize":
        DeltaTable(path).optimize.compact()
    elif name == "delete":
        DeltaTable(path).delete(value)
    elif name == "overwrite":
        start, count = value.split("+")
        write_deltalake(path, rows(int(start), int(count)), mode="overwrite")
    elif name == "cleanup":
        DeltaTable(path).cleanup_metadata()
    else:
        raise SystemExit(f"no step is called {step}")
print(json.dumps({"version": DeltaTable(path).version()}), file=out)
out.close()
# the threads of delta-rs and those of Arrow now and then abort the interpreter while it ends (seen with 1.6.6 and 26.0.1)
os._exit(0)
