import { compileJsonPrinter } from '../../codegen/json-printer.ts'
import type { SinkConnector } from '../sink.ts'

/** `sink: { console: {} }`: each row as a JSON line, at least once (a restore prints rows again). */
export const consoleSink: SinkConnector = {
  validate: (options) => Object.keys(options).map((name) => ({ path: name, message: 'unknown option; console takes none' })),
  writer(context) {
    const print = compileJsonPrinter(context.schema, { timestampFormat: 'iso' })
    return {
      open: async () => undefined,
      async write(rows, count) {
        for (let index = 0; index < count; index++) {
          const row = rows[index]
          if (row !== undefined) context.ports.printLine(print(row))
        }
      },
      prepareCommit: async () => [],
      commit: async () => undefined,
      close: async () => undefined,
    }
  },
}
