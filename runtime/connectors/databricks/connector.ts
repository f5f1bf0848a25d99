import type { Connector } from '../registry.ts'
import { sinkOptions, sourceOptions } from './declaration.ts'
import { FeedEnumerator } from './enumerator.ts'
import { DatabricksWriter, probeTable } from './sink-writer.ts'
import { FeedReader } from './source-reader.ts'

/** `source: { databricks: { url, warehouse, table, … } }`, and the same as a sink. */
export const connector = {
  source: (written) => {
    const options = sourceOptions.read(written)
    return {
      enumerator: (context) => new FeedEnumerator(context, options),
      reader: (context, rows) => new FeedReader(context, options, rows),
    }
  },
  sink: (written) => {
    const options = sinkOptions.read(written)
    return {
      writer: (context) => new DatabricksWriter(context, options),
      probe: (context) => probeTable(context, options),
    }
  },
} satisfies Connector
