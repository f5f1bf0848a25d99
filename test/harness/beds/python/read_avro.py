"""Writes what fastavro reads of each container file: its codec, and the rows as exact texts."""
import json
import sys

import fastavro
from values import text_of

with open(sys.argv[1], "w") as out:
    for path in sys.argv[2:]:
        with open(path, "rb") as file:
            reader = fastavro.reader(file)
            rows = [{name: text_of(value) for name, value in row.items()} for row in reader]
            print(json.dumps({"codec": reader.codec, "rows": rows}), file=out)
