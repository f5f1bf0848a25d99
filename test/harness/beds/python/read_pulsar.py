"""Reads a topic from its beginning to its end: URL and topic. Gives each message as a line of JSON."""

import json
import sys

import pulsar

result, url, topic = sys.argv[1:4]

client = pulsar.Client(url, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
with open(result, "w") as out:
    for partition in client.get_topic_partitions(topic):
        reader = client.create_reader(partition, pulsar.MessageId.earliest)
        while reader.has_message_available():
            message = reader.read_next(10_000)
            line = {
                "topic": partition,
                "value": message.data().decode(),
                "key": message.partition_key(),
                "properties": message.properties(),
                "eventTime": message.event_timestamp(),
            }
            out.write(json.dumps(line) + "\n")
        reader.close()
client.close()
