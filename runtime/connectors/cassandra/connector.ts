import type { Connector } from '../registry.ts'
import { CassandraLookup } from './cassandra-lookup.ts'
import type { CassandraConnect } from './client.ts'
import { sinkOptions, tableOptions } from './declaration.ts'
import { CassandraSinkWriter, probeTable } from './sink-writer.ts'

/** `sink: { cassandra: … }` and `lookup: { cassandra: … }`. */
export function cassandraConnector(connect: CassandraConnect): Pick<Required<Connector>, 'sink' | 'table'> {
  return {
    sink: (written) => {
      const options = sinkOptions.read(written)
      return {
        writer: (context) => new CassandraSinkWriter(context, options, connect),
        probe: (context) => probeTable(context, options, connect),
      }
    },
    table: (written) => {
      const options = tableOptions.read(written)
      return { open: (context) => CassandraLookup.open(context, options, connect) }
    },
  }
}
