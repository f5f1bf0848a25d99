import type { Connector } from '../registry.ts'
import { sinkOptions, tableOptions } from './declaration.ts'
import { HbaseLookup } from './hbase-lookup.ts'
import { HbaseSinkWriter, probeTable } from './sink-writer.ts'

/** `sink: { hbase: … }` and `lookup: { hbase: … }`. */
export const connector = {
  sink: (written) => {
    const options = sinkOptions.read(written)
    return {
      writer: (context) => new HbaseSinkWriter(context, options),
      probe: (context) => probeTable(context, options),
    }
  },
  table: (written) => {
    const options = tableOptions.read(written)
    return { open: (context) => HbaseLookup.open(context, options) }
  },
} satisfies Connector
