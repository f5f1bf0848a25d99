"""Runs statements in Spark with Delta, for the fake of Databricks: a line of JSON in, {id, text}, and one out for each,
{id, columns, rows} or {id, error}. Statements run side by side. COPY INTO, which only Databricks has, is done by hand.
"""

import json
import re
import sys
import threading

from pyspark.sql import SparkSession

warehouse, *_ = sys.argv[1:]

spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.warehouse.dir", warehouse)
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")

COPY = re.compile(
    r"COPY INTO (\S+)\nFROM \(SELECT (.+) FROM '([^']+)'\)\nFILEFORMAT = PARQUET\nFILES = \((.+)\)", re.DOTALL
)
copied = {}
copying = threading.Lock()
answering = threading.Lock()


def copy(table, columns, folder, files):
    with copying:
        known = copied.setdefault(table, set())
        fresh = [f"{folder}/{name}" for name in re.findall(r"'([^']+)'", files)]
        fresh = [path for path in fresh if path not in known]
        if not fresh:
            return {"columns": ["num_affected_rows"], "rows": [["0"]]}
        rows = spark.read.parquet(*fresh).selectExpr(*columns.split(", "))
        count = rows.count()
        rows.write.format("delta").mode("append").saveAsTable(table.replace("`", ""))
        known.update(fresh)
        return {"columns": ["num_affected_rows"], "rows": [[str(count)]]}


def text_of(value):
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def run(text):
    match = COPY.fullmatch(text)
    if match:
        return copy(*match.groups())
    found = spark.sql(text)
    return {"columns": found.columns, "rows": [[text_of(value) for value in row] for row in found.collect()]}


def answer(line):
    request = json.loads(line)
    try:
        found = run(request["text"])
    except Exception as error:  # whatever Spark says is what the statement says
        found = {"error": str(error).split("\nJVM stacktrace")[0]}
    with answering:
        print(json.dumps({"id": request["id"], **found}), flush=True)


print(json.dumps({"id": 0, "columns": [], "rows": []}), flush=True)
for line in sys.stdin:
    threading.Thread(target=answer, args=(line,), daemon=True).start()
