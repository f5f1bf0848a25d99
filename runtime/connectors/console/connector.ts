import { compileJsonWriter } from '../../codegen/json/json-writer.ts'
import { RecordBuffer } from '../../formats/record-buffer.ts'
import { printable } from '../../model/printable.ts'
import type { Connector } from '../registry.ts'
import type { SinkConnector } from '../sink.ts'

/** `sink: { console: {} }`. */
export const connector: Connector = { sink: () => consoleSink }

const consoleSink: SinkConnector = {
  writer(context) {
    const lines = new RecordBuffer(compileJsonWriter(context.schema, { timestampFormat: 'iso' }))
    return {
      open: async () => undefined,
      async write(batch) {
        const { count } = batch
        const rows = batch.rows()
        for (let index = 0; index < count; index++) {
          const row = rows[index]
          if (row !== undefined) lines.addLine(row)
        }
        if (lines.sizeBytes > 0)
          for (const line of lines.take().toString('utf8').trimEnd().split('\n'))
            context.ports.printLine(printable(line), context.operatorId)
      },
      prepareCommit: async () => [],
      close: async () => undefined,
    }
  },
}
