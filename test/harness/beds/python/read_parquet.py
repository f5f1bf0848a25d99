"""Writes each Parquet file as a line of JSON into the first file: the types of its columns, and its rows as exact texts."""
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from values import text_of

out = open(sys.argv[1], "w")
for path in sys.argv[2:]:
    file = pq.ParquetFile(path)
    table = file.read()
    meta = file.metadata
    nulls = [
        sum(meta.row_group(g).column(c).statistics.null_count for g in range(meta.num_row_groups))
        for c in range(meta.num_columns)
    ]
    bounds = []
    for c in range(meta.num_columns):
        found = [meta.row_group(g).column(c).statistics for g in range(meta.num_row_groups)]
        found = [s for s in found if s.has_min_max]
        bounds.append([text_of(min(s.min for s in found)), text_of(max(s.max for s in found))] if found else None)
    print(json.dumps({
        "types": {field.name: str(field.type) for field in table.schema},
        "groups": meta.num_row_groups,
        "nulls": nulls,
        "bounds": bounds,
        "rows": [[text_of(value) for value in row.values()] for row in table.to_pylist()],
    }), file=out)
