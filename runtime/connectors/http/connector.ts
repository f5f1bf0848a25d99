import type { Connector } from '../registry.ts'
import { readSinkOptions } from './declaration.ts'
import { HttpSinkWriter } from './sink-writer.ts'

/** `sink: { http: { url, … } }`. */
export const connector = {
  sink: (written) => {
    const options = readSinkOptions(written)
    return { writer: (context) => new HttpSinkWriter(context, options) }
  },
} satisfies Connector
