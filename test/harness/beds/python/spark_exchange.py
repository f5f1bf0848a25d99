"""Reads and writes with Spark, in the order of the commands, and gives a line of JSON for each that reads.

read=FORMAT:PATH              parquet or delta
write=FORMAT:PATH:FIRST:COUNT numbered rows of many types; a Delta table is appended to, and partitioned by `kind`
checkpoint=PATH:ROWS           a checkpoint of the log of a Delta table, in parts of so many rows
read-topic=SERVERS/TOPIC      the values of committed records
write-topic=SERVERS/TOPIC:COUNT
"""

import json
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from values import text_of

result, *commands = sys.argv[1:]

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def numbered(first, count):
    """Rows whose values follow from their number alone; every fifth has nulls."""
    n = f.col("n")
    kept = (n % 5) != 0
    return spark.range(first, first + count).withColumnRenamed("id", "n").select(
        n,
        f.concat(f.lit("k"), n % 3).alias("kind"),
        (f.lit(9007199254740993) + n).alias("big"),
        f.when(kept, (n.cast("decimal(18,4)") / 100).cast("decimal(18,4)")).alias("price"),
        f.when(kept, f.timestamp_millis(f.lit(1700000000000) + n)).alias("at"),
        f.date_add(f.lit("1969-12-30").cast("date"), n.cast("int")).alias("day"),
        f.when(kept, f.concat(f.lit("Zürich 🦆 "), n)).alias("text"),
        (n % 2 == 0).alias("even"),
        (n / 3).alias("third"),
    )


def read(out, frame):
    types = {name: kind for name, kind in frame.dtypes}
    # of a timestamp Python would take the time zone of the machine
    plain = [f.unix_micros(f.col(name)).alias(name) if kind == "timestamp" else f.col(name) for name, kind in frame.dtypes]
    rows = [{name: text_of(value) for name, value in row.asDict().items()} for row in frame.select(*plain).collect()]
    print(json.dumps({"types": types, "rows": rows}), file=out)


with open(result, "w") as out:
    for command in commands:
        verb, argument = command.split("=", 1)
        if verb == "read":
            form, path = argument.split(":", 1)
            read(out, spark.read.format(form).load(path))
        elif verb == "write":
            form, path, first, count = argument.rsplit(":", 3)
            writer = numbered(int(first), int(count)).write.format(form).mode("append")
            (writer.partitionBy("kind") if form == "delta" else writer).save(path)
        elif verb == "checkpoint":
            path, part = argument.rsplit(":", 1)
            spark.conf.set("spark.databricks.delta.checkpoint.partSize", part)
            spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, path).checkpoint()
        else:
            servers, topic = argument.split("/", 1)
            if verb == "read-topic":
                records = (
                    spark.read.format("kafka")
                    .option("kafka.bootstrap.servers", servers)
                    .option("subscribe", topic)
                    .option("kafka.isolation.level", "read_committed")
                    .load()
                )
                read(out, records.select(f.col("value").cast("string").alias("value")))
            else:
                topic, count = topic.split(":")
                values = numbered(0, int(count)).select(f.to_json(f.struct("n", "kind", "text")).alias("value"))
                (
                    values.write.format("kafka")
                    .option("kafka.bootstrap.servers", servers)
                    .option("topic", topic)
                    .save()
                )
spark.stop()
