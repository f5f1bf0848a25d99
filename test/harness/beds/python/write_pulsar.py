"""Writes messages to a topic: URL, topic, first number, how many, and a compression (NONE, LZ4, ZLib, ZSTD, SNAPPY).

Each value is {"n": number, "t": text}, with a key, a property and an event time that follow from the number.
"""

import json
import sys

import pulsar

_result, url, topic, first, count, compression = sys.argv[1:7]

client = pulsar.Client(url, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
producer = client.create_producer(
    topic,
    batching_enabled=True,
    batching_max_messages=100,
    batching_max_publish_delay_ms=5,
    block_if_queue_full=True,
    compression_type=getattr(pulsar.CompressionType, compression),
)
failures = []


def stored(result, _id):
    if result != pulsar.Result.Ok:
        failures.append(str(result))


for n in range(int(first), int(first) + int(count)):
    producer.send_async(
        json.dumps({"n": n, "t": f"text {n}"}).encode(),
        stored,
        partition_key=f"key {n % 7}",
        properties={"half": str(n // 2)},
        event_timestamp=1_700_000_000_000 + n,
    )
producer.flush()
client.close()
open(sys.argv[1], "w").close()
if failures:
    sys.exit(f"not stored: {failures[0]}")
