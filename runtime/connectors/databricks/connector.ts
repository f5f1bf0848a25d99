import type { Connector } from '../registry.ts'
import { sinkOptions } from './declaration.ts'
import { DatabricksWriter, probeTable } from './sink-writer.ts'

/** `sink: { databricks: { url, warehouse, table, … } }`. */
export const connector = {
  sink: (written) => {
    const options = sinkOptions.read(written)
    return {
      writer: (context) => new DatabricksWriter(context, options),
      probe: (context) => probeTable(context, options),
    }
  },
} satisfies Connector
