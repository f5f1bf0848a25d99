import type { Connector } from '../registry.ts'
import type { KuduConnect } from './client.ts'
import { sinkOptions, sourceOptions, tableOptions } from './declaration.ts'
import { KuduLookup } from './kudu-lookup.ts'
import { KuduSinkWriter, probeTable } from './sink-writer.ts'
import { TabletEnumerator } from './tablet-enumerator.ts'
import { TabletReader } from './tablet-reader.ts'

/** `source: { kudu: … }` and `sink: { kudu: … }`. */
export function kuduConnector(connect: KuduConnect): Pick<Required<Connector>, 'source' | 'sink' | 'table'> {
  return {
    source: (written) => {
      const options = sourceOptions.read(written)
      return {
        enumerator: (context) => new TabletEnumerator(context, options, connect),
        reader: (context, rows) => new TabletReader(context, options, rows, connect),
      }
    },
    sink: (written) => {
      const options = sinkOptions.read(written)
      return {
        writer: (context) => new KuduSinkWriter(context, options, connect),
        probe: (context) => probeTable(context, options, connect),
      }
    },
    table: (written) => {
      const options = tableOptions.read(written)
      return { open: (context) => KuduLookup.open(context, options, connect) }
    },
  }
}
