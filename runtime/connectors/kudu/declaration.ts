import type { ConnectorDeclaration, OptionProblem, Options } from '../../graph/connector-declaration.ts'
import type { ReportOption } from '../../graph/unknown-options.ts'
import type { Schema } from '../../model/schema.ts'
import { hostList } from '../kit/host-list.ts'
import { mapping, OptionSet, type OptionValues, type ValuesSoFar } from '../kit/option-set.ts'
import { tls } from '../kit/tls-option.ts'
import { tombstoneFieldProblems } from '../kit/message-fields.ts'
import { choice, duration, text } from '../kit/option-types.ts'

const CONNECTION = {
  masters: {
    type: hostList,
    required: 'host:port of the masters, or a list of them',
    doc: 'All masters of the cluster; port 7051 by default of Kudu.',
  },
  user: {
    type: text,
    default: 'millrace',
    doc: 'The name under which the job shows up; servers take it without a password.',
  },
  tls: {
    type: tls,
    doc: 'Encrypts the connections; clusters with `--rpc_encryption=required` demand it. Files are read again for each connection.',
  },
  serverCertificates: {
    type: choice('check', 'ignore'),
    default: 'check',
    doc: 'Whether the certificates of servers must be signed by an authority that `tls` trusts, for the host that was asked. `ignore` encrypts without knowing who listens, which the log says.',
  },
  table: {
    type: text,
    required: 'the name of a table',
    doc: 'The table; of one that Impala made `impala::database.table`.',
  },
} as const

export const sourceOptions = new OptionSet(
  {
    ...CONNECTION,
    continuous: {
      type: mapping({
        every: { type: duration('100ms'), default: '10s', doc: 'How often changes are looked for.' },
        deletes: {
          type: choice('fail', 'ignore'),
          default: 'fail',
          doc: 'What becomes of rows that were deleted: the job has no word for them.',
        },
      }),
      doc: 'Continues with the rows that are inserted or changed, instead of ending. When a row changes several times between two looks, only the last change is read.',
    },
  },
  checkConnection,
)

export const sinkOptions = new OptionSet(
  {
    ...CONNECTION,
    mode: {
      type: choice('upsert', 'insertIgnore', 'updateIgnore', 'deleteIgnore'),
      default: 'upsert',
      doc: 'What a row does to the row of its key: replaces it, is left out where there is one, or where there is none, or deletes it (only the key is needed then). Each does the same when it is repeated.',
    },
    tombstone: {
      type: text,
      doc: 'With `mode: upsert` a `boolean` field: where it is true the row deletes the row of its key. It is no column of the table.',
    },
  },
  (values, options, report) => {
    checkConnection(values, options, report)
    if (values.tombstone !== undefined && values.mode !== 'upsert')
      report('tombstone', `has no meaning with mode: ${String(values.mode)}`, 'write mode: upsert')
  },
)

export const tableOptions = new OptionSet(CONNECTION, checkConnection)

export type KuduTableOptions = OptionValues<typeof tableOptions.table>
export type KuduSourceOptions = OptionValues<typeof sourceOptions.table>
export type KuduSinkOptions = OptionValues<typeof sinkOptions.table>

export const declaration: ConnectorDeclaration = {
  name: 'kudu',
  doc: 'Reads a table of Apache Kudu (1.12 or newer) at a snapshot or continuously, exactly once, and writes rows by their primary key, effectively once. Rows can be looked up.',
  source: {
    options: sourceOptions,
    checkSchema: (_options, schema) => withoutJson(schema),
    lookAgainMs: (options) => (sourceOptions.read(options).continuous === undefined ? undefined : LOOK_AGAIN_MS),
  },
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => [
      ...withoutJson(schema),
      ...tombstoneFieldProblems(schema, sinkOptions.read(options).tombstone),
    ],
  },
  table: {
    options: tableOptions,
    keys: 'all columns of its primary key; other columns make Kudu read whole tablets',
    checkLookup: (_options, key, output) => [...withoutJson({ fields: key }), ...withoutJson(output)],
  },
}

function checkConnection(values: ValuesSoFar<typeof CONNECTION>, _options: Options, report: ReportOption): void {
  const { tls: files = false, serverCertificates } = values
  if (files === false) {
    if (serverCertificates === 'ignore') report('serverCertificates', 'has no effect without tls', 'set tls: true')
    return
  }
  if (files.certificateFile !== undefined)
    report('tls.certificateFile', 'has no effect: Kudu knows clients by their name', 'leave it and keyFile out')
  if (files.caFile !== undefined && serverCertificates === 'ignore')
    report('tls.caFile', 'has no effect with serverCertificates: ignore', 'leave one of them out')
}

/** How often tablets that are new are looked for. */
const LOOK_AGAIN_MS = 30_000

function withoutJson({ fields }: Schema): OptionProblem[] {
  return fields
    .filter(({ type }) => type === 'json')
    .map(({ name }) => ({
      path: '',
      message: `${name} is nested, and Kudu has no type for that`,
      hint: 'write JSON.stringify of it as a string',
    }))
}
