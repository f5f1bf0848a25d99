import type { SourceConnector } from '../source.ts'
import type { DruidSourceOptions } from './declaration.ts'
import { QueryReader, QUERY_SPLIT } from './query-reader.ts'
import { SegmentEnumerator } from './segment-enumerator.ts'
import { SegmentReader } from './segment-reader.ts'

/** `source: { druid: { url, datasource, … } }` reads segments; with `query` the result of an SQL query. */
export function druidSource(options: DruidSourceOptions): SourceConnector {
  const { reads } = options
  if (reads.kind === 'query')
    return {
      enumerator: () => ({
        discover: async (known) =>
          known.length > 0 ? [...known] : [{ id: QUERY_SPLIT, position: null, finished: false }],
        close: async () => undefined,
      }),
      reader: (context, rows) => new QueryReader(context, options, reads.query, rows),
    }
  return {
    enumerator: (context) => new SegmentEnumerator(context, options, reads),
    reader: (context, rows) => new SegmentReader(context, options, reads, rows),
  }
}
