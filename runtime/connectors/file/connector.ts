import type { Connector } from '../registry.ts'
import { fileDeadLetters } from './dead-letters.ts'
import { deadLetterOptions, readSourceOptions, sinkOptions } from './declaration.ts'
import { FileEnumerator } from './enumerator.ts'
import { FileReader } from './reader.ts'
import { probeFolder } from './probe.ts'
import { FileWriter } from './writer.ts'

export const connector = {
  source: (written) => {
    const options = readSourceOptions(written)
    return {
      enumerator: (context) => new FileEnumerator(context, options),
      reader: (context, rows) => new FileReader(context, options, rows),
    }
  },
  sink: (written) => {
    const options = sinkOptions.read(written)
    return {
      writer: (context) => new FileWriter(context, options),
      probe: (context) => probeFolder(context, options.path),
    }
  },
  deadLetters: (written) => fileDeadLetters(deadLetterOptions.read(written)),
} satisfies Connector
