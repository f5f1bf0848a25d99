import type { Connector } from '../registry.ts'
import { sinkOptions, sourceOptions } from './declaration.ts'
import { TableEnumerator } from './enumerator.ts'
import { DeltaWriter, probeTable } from './sink-writer.ts'
import { TableReader } from './source-reader.ts'

export const connector = {
  source: (written) => {
    const options = sourceOptions.read(written)
    return {
      enumerator: (context) => new TableEnumerator(context, options),
      reader: (context, rows) => new TableReader(context, options, rows),
    }
  },
  sink: (written) => {
    const options = sinkOptions.read(written)
    return {
      writer: (context) => new DeltaWriter(context, options),
      probe: (context) => probeTable(context, options),
    }
  },
} satisfies Connector
