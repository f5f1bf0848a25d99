import type { ConnectorDeclaration, OptionProblem, Options } from '../../graph/connector-declaration.ts'
import type { ReportOption } from '../../graph/unknown-options.ts'
import { isFields } from '../../model/fields.ts'
import { fieldOf, type Schema } from '../../model/schema.ts'
import { hostList } from '../kit/host-list.ts'
import { isLoopback } from '../../model/loopback.ts'
import { mapping, OptionSet, type OptionValues, type ValuesSoFar } from '../kit/option-set.ts'
import { choice, count, duration, flag, secretFile, text } from '../kit/option-types.ts'
import { tls } from '../kit/tls-option.ts'

const CONSISTENCIES = ['LOCAL_QUORUM', 'LOCAL_ONE', 'ONE', 'TWO', 'THREE', 'QUORUM', 'EACH_QUORUM', 'ALL'] as const

const LOGIN = {
  username: { type: text, required: 'a user', doc: 'The user, beside `passwordFile`.' },
  passwordFile: {
    type: secretFile,
    required: 'a file with the password',
    secret: true,
    doc: 'The path of a mounted Secret with the password, read when a connection is made.',
  },
  insecure: {
    type: flag,
    default: false,
    doc: 'Sends the password without TLS too, where everybody on the way can read it.',
  },
} as const

const CONNECTION = {
  hosts: {
    type: hostList,
    required: 'host:port of some nodes, or a list of them',
    doc: 'Some nodes of the cluster, from which the others are learned; port 9042 by default of Cassandra.',
  },
  datacenter: {
    type: text,
    default: 'datacenter1',
    doc: 'The datacenter whose nodes are asked; the default is that of a cluster that names none.',
  },
  keyspace: { type: text, required: 'the name of a keyspace', doc: 'The keyspace, as it is written in the schema.' },
  table: { type: text, required: 'the name of a table', doc: 'The table, as it is written in the schema.' },
  tls: {
    type: tls,
    default: false,
    doc: 'Whom to trust and who the job is, where the nodes take encrypted connections. A certificate has to name the address of its node, or a name of `hosts`. The files are read again for each new connection to the cluster.',
  },
  consistency: { type: choice(...CONSISTENCIES), default: 'LOCAL_QUORUM', doc: 'How many replicas must answer.' },
  auth: {
    type: mapping(LOGIN),
    doc: 'How the job logs in. The key `allowed-hosts` of the Secret says where its other keys may go.',
  },
} as const

export const sinkOptions = new OptionSet(
  {
    ...CONNECTION,
    mode: {
      type: choice('upsert', 'delete'),
      default: 'upsert',
      doc: 'What a row does to the row of its key: writes its columns, or deletes it (only the key is needed then). Both do the same when they are repeated.',
    },
    nulls: {
      type: choice('write', 'skip'),
      default: 'write',
      doc: 'A field that is null deletes the value of its column, or leaves it as it is. Each deletion leaves a tombstone.',
    },
    ttl: { type: duration('1s'), doc: 'Written values expire after so long.' },
    writeTime: {
      type: text,
      doc: 'A timestamp of the rows as the time of the write: of two rows of a key the later one stays, whichever comes first. Without it rows of one slot replace each other in their order.',
    },
    inFlight: { type: count(10_000), default: 128, doc: 'Requests under way at most, per slot.' },
  },
  (values, written, report) => {
    checkLifetime(written, report)
    checkReadable(values, report)
  },
)

export const tableOptions = new OptionSet(CONNECTION, (values, _written, report) => {
  checkReadable(values, report)
})

export type CassandraSinkOptions = OptionValues<typeof sinkOptions.table>
export type CassandraTableOptions = OptionValues<typeof tableOptions.table>

export const declaration: ConnectorDeclaration = {
  name: 'cassandra',
  doc: 'Writes rows to a table of Apache Cassandra (4.0 or newer) by their primary key, effectively once, and looks them up.',
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => checkWriteTime(options, schema),
  },
  table: {
    options: tableOptions,
    keys: 'its partition key, and clustering columns from the first on',
  },
}

/** Cassandra's login is the password itself. */
function checkReadable({ hosts, auth, tls }: ValuesSoFar<typeof CONNECTION>, report: ReportOption): void {
  if (auth === undefined || auth.insecure || tls !== false || (hosts ?? []).every(isLoopback)) return
  report(
    'auth',
    'would travel as it is: tls is false',
    'write tls: true, or auth.insecure: true where the network is trusted',
  )
}

function checkLifetime({ mode, ttl, nulls }: Options, report: ReportOption): void {
  if (mode !== 'delete') return
  if (ttl !== undefined) report('ttl', 'has no meaning where rows are deleted')
  if (nulls !== undefined) report('nulls', 'has no meaning where rows are deleted')
}

function checkWriteTime(options: Options, schema: Schema): OptionProblem[] {
  const { writeTime } = isFields(options) ? sinkOptions.read(options) : {}
  if (writeTime === undefined) return []
  const field = fieldOf(schema, writeTime)
  if (field?.type === 'timestamp' && !field.nullable) return []
  return [
    {
      path: 'writeTime',
      message:
        field === undefined ? `there is no field "${writeTime}"` : `"${writeTime}" is no timestamp that is never null`,
    },
  ]
}
