import type { Connector } from '../registry.ts'
import { readSinkOptions, readSourceOptions } from './declaration.ts'
import { POLL_SPLIT } from './poll-position.ts'
import { PollReader } from './poll-reader.ts'
import { HttpSinkWriter } from './sink-writer.ts'

/** `source: { http: { url, … } }` and `sink: { http: { url, … } }`. */
export const connector = {
  source: (written) => {
    const options = readSourceOptions(written)
    return {
      discoversWithoutAsking: true,
      enumerator: () => ({
        discover: async (known) =>
          known.length > 0 ? [...known] : [{ id: POLL_SPLIT, position: null, finished: false }],
        close: async () => undefined,
      }),
      reader: (context, rows) => new PollReader(context, options, rows),
    }
  },
  sink: (written) => {
    const options = readSinkOptions(written)
    return { writer: (context) => new HttpSinkWriter(context, options) }
  },
} satisfies Connector
