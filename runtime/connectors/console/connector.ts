import { compileJsonWriter } from '../../codegen/json/json-writer.ts'
import { RecordBuffer } from '../../formats/record-buffer.ts'
import type { SinkConnector } from '../sink.ts'

/** `sink: { console: {} }`: each row as a JSON line, at least once (a restore prints rows again). */
export const consoleSink: SinkConnector = {
  validate: (options) =>
    Object.keys(options).map((name) => ({ path: name, message: 'unknown option; console takes none' })),
  writer(context) {
    const lines = new RecordBuffer(compileJsonWriter(context.schema, { timestampFormat: 'iso' }))
    return {
      open: async () => undefined,
      async write(rows, count) {
        for (let index = 0; index < count; index++) {
          const row = rows[index]
          if (row !== undefined) lines.addLine(row)
        }
        if (lines.sizeBytes > 0)
          for (const line of lines.take().toString('utf8').trimEnd().split('\n')) context.ports.printLine(line)
      },
      prepareCommit: async () => [],
      commit: async () => undefined,
      close: async () => undefined,
    }
  },
}
