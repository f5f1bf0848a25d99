import { metadataFieldsOf, valueSchema } from '../kit/metadata-fields.ts'
import type { SourceConnector } from '../source.ts'
import type { NatsConnect } from './client.ts'
import type { NatsSourceOptions } from './declaration.ts'
import { natsMetadataRows } from './metadata-rows.ts'
import { NatsSourceReader } from './source-reader.ts'
import { NatsSplitEnumerator } from './split-enumerator.ts'

export function natsSource(connect: NatsConnect, options: NatsSourceOptions): SourceConnector {
  return {
    enumerator: (context) => new NatsSplitEnumerator(context, options, connect),
    reader: (context, rows) => {
      const { schema, ports, baseDir } = context
      const { metadata, format } = options
      const metadataRows = metadata === undefined ? undefined : natsMetadataRows(schema, metadata, rows)
      const formatContext = { schema: valueSchema(schema, metadataFieldsOf(metadata)), ports, baseDir }
      const openScanner = async () => format.scanner(formatContext, metadataRows?.values ?? rows)
      return new NatsSourceReader(context, options, { connect, openScanner, metadataRows })
    },
  }
}
