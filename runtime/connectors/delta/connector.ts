import type { Connector } from '../registry.ts'
import { sinkOptions } from './declaration.ts'
import { DeltaWriter } from './sink-writer.ts'

export const connector = {
  sink: (written) => {
    const options = sinkOptions.read(written)
    return { writer: (context) => new DeltaWriter(context, options) }
  },
} satisfies Connector
