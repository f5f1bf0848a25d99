import type { Connector } from '../registry.ts'
import { readSinkOptions, readSourceOptions } from './declaration.ts'
import { POLL_SPLIT } from './poll-position.ts'
import { PollReader } from './poll-reader.ts'
import { probePolled, probeReceiver } from './probe.ts'
import { HttpSinkWriter } from './sink-writer.ts'

/** `source: { http: { url, … } }` and `sink: { http: { url, … } }`. */
export const connector = {
  source: (written) => {
    const options = readSourceOptions(written)
    return {
      discoversWithoutAsking: true,
      probe: (context) => probePolled(options, context),
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
    return {
      writer: (context) => new HttpSinkWriter(context, options),
      probe: (context) => probeReceiver(options, context),
    }
  },
} satisfies Connector
