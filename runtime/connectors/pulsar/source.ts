import { metadataFieldsOf, valueSchema } from '../kit/metadata-fields.ts'
import type { SourceConnector } from '../source.ts'
import type { PulsarSourceOptions } from './declaration.ts'
import { pulsarMetadataRows } from './metadata-rows.ts'
import { PulsarSourceReader } from './source-reader.ts'
import { PulsarSplitEnumerator } from './split-enumerator.ts'
import type { PulsarTransport } from './transport.ts'

export function pulsarSource(transport: PulsarTransport, options: PulsarSourceOptions): SourceConnector {
  return {
    enumerator: (context) => new PulsarSplitEnumerator(context, options, transport),
    reader: (context, rows) => {
      const { schema, ports, baseDir } = context
      const { metadata, format } = options
      const metadataRows = metadata === undefined ? undefined : pulsarMetadataRows(schema, metadata, rows)
      const formatContext = { schema: valueSchema(schema, metadataFieldsOf(metadata)), ports, baseDir }
      return new PulsarSourceReader(
        context,
        options,
        transport,
        async () => format.scanner(formatContext, metadataRows?.values ?? rows),
        metadataRows,
      )
    },
  }
}
