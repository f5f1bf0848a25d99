"""Does something with a stream of NATS: URL, what, stream, and more.

create: options of the stream as JSON, subjects among them. delete. purge: up to which sequence.
write: first number, how many; each message is {"n": number, "t": text} of the subject STREAM.NUMBER-MODULO-3, with a
header Half. read: gives each message as a line of JSON. info: gives first and last sequence.
"""

import asyncio
import json
import sys

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

result, url, what, stream, *more = sys.argv[1:]
AT_ONCE = 500


async def create(js, options):
    await js._api_request(f"$JS.API.STREAM.CREATE.{stream}", json.dumps({"name": stream, **json.loads(options)}).encode())


async def write(js, first, count):
    waiting = []
    for n in range(int(first), int(first) + int(count)):
        value = json.dumps({"n": n, "t": f"text {n}"}).encode()
        waiting.append(js.publish(f"{stream}.{n % 3}", value, headers={"Half": str(n // 2)}))
        if len(waiting) == AT_ONCE:
            await asyncio.gather(*waiting)
            waiting = []
    await asyncio.gather(*waiting)


async def read(js, out):
    left = (await js.stream_info(stream)).state.messages
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE)
    consumer = await js.pull_subscribe(">", stream=stream, config=config)
    while left > 0:
        for message in await consumer.fetch(AT_ONCE, timeout=10):
            left -= 1
            line = {
                "subject": message.subject,
                "sequence": message.metadata.sequence.stream,
                "headers": message.headers or {},
                "value": message.data.decode(),
            }
            out.write(json.dumps(line) + "\n")


async def main():
    connection = await nats.connect(url)
    js = connection.jetstream()
    with open(result, "w") as out:
        if what == "create":
            await create(js, *more)
        elif what == "delete":
            await js.delete_stream(stream)
        elif what == "purge":
            await js.purge_stream(stream, seq=int(more[0]) + 1)
        elif what == "write":
            await write(js, *more)
        elif what == "info":
            state = (await js.stream_info(stream)).state
            out.write(json.dumps({"first": state.first_seq, "last": state.last_seq}) + "\n")
        else:
            await read(js, out)
    await connection.close()


asyncio.run(main())
