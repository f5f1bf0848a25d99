import type { ConnectorDeclaration, OptionProblem, Options } from '../../graph/connector-declaration.ts'
import type { ReportOption } from '../../graph/unknown-options.ts'
import { isFields, memberOf } from '../../model/fields.ts'
import { auth, checkAuth } from '../kit/auth-option.ts'
import { OptionSet, type OptionValues } from '../kit/option-set.ts'
import { choice, count, duration, shown, text, type OptionType } from '../kit/option-types.ts'
import { tls } from '../kit/tls-option.ts'
import { httpUrl } from '../kit/url-option.ts'
import { checkLookup, checkSink } from './declared/fields.ts'

const urls: OptionType<readonly string[]> = {
  name: 'http or https address, or a list of them',
  read: (value, report) => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    const read = list.map((one) => httpUrl.read(one, report)).filter((url) => url !== undefined)
    if (list.length === 0) report('', 'must be an http or https address, or a list of them')
    return list.length > 0 && read.length === list.length ? read.map((url) => url.replace(/\/+$/, '')) : undefined
  },
}

const tableName: OptionType<string> = {
  name: 'name of a table, as in `orders` or `shop:orders`',
  read: (value, report) => {
    if (typeof value === 'string' && /^(?:\w+:)?\w[\w.-]*$/.test(value)) return value
    report('', `must be the name of a table, as in orders or shop:orders, found ${shown(value)}`)
    return undefined
  },
}

const familyName: OptionType<string> = {
  name: 'name of a column family',
  read: (value, report) => {
    if (typeof value === 'string' && /^[\w.-]+$/.test(value)) return value
    report('', `must be the name of a column family, found ${shown(value)}`)
    return undefined
  },
}

export type RowKeyOption = string | readonly string[]

const rowKey: OptionType<RowKeyOption> = {
  name: 'field, or a list of fields',
  read: (value, report) => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    const names = list.filter((name) => typeof name === 'string' && name !== '') as string[]
    if (list.length > 0 && names.length === list.length && new Set(names).size === names.length)
      return Array.isArray(value) ? names : (names[0] ?? '')
    report('', `must be a field, or a list of different fields, found ${shown(value)}`)
    return undefined
  },
}

/** By column; a column is text, so that no address and no error message needs another form of it. */
const columns: OptionType<ReadonlyMap<string, string>> = {
  name: 'mapping of `family:qualifier: field`',
  read: (value, report) => {
    if (!isFields(value) || Object.keys(value).length === 0) {
      report('', `must be a mapping of family:qualifier: field, found ${shown(value)}`)
      return undefined
    }
    const entries = Object.entries(value)
    const wrong = entries.filter(([column, field]) => !COLUMN.test(column) || typeof field !== 'string')
    for (const [column] of wrong)
      report(column, 'must be family:qualifier: field, of printable characters without commas and slashes')
    return wrong.length === 0 ? new Map(entries.map(([column, field]) => [column, String(field)])) : undefined
  },
}
const COLUMN = /^[\w.-]+:[^\p{C}\s,/]{1,1024}$/u

const CONNECTION = {
  url: {
    type: urls,
    required: 'the address of a REST gateway',
    doc: 'The address of a REST gateway of HBase, or of several: when one does not answer, the next is asked.',
  },
  table: { type: tableName, required: 'the name of a table', doc: 'The table, with its namespace where it has one.' },
  family: {
    type: familyName,
    default: 'd',
    doc: 'The family of columns that `columns` does not name: a field is the column `family:field`.',
  },
  columns: {
    type: columns,
    doc: 'The columns, each with its field. Without it, each field that is not part of the key is a column of `family`.',
  },
  encoding: {
    type: choice('binary', 'text'),
    default: 'binary',
    doc: 'How values lie in cells and in a key of one field: as `Bytes.toBytes` of HBase has them, or as texts.',
  },
  auth,
  tls: {
    type: tls,
    default: false,
    doc: 'For https: whom to trust and who the job is. The files are read again for each connection.',
  },
  timeout: {
    type: duration('10ms'),
    default: '10s',
    doc: 'How long an answer may take before it is asked for again.',
  },
} as const

const KEY_DOC = 'Several, as a list, follow each other in an order that keeps theirs.'

export const sinkOptions = new OptionSet(
  {
    ...CONNECTION,
    rowKey: {
      type: rowKey,
      required: 'the field that is the key of a row',
      doc: `The field that is the key of a row. ${KEY_DOC}`,
    },
    mode: {
      type: choice('upsert', 'delete'),
      default: 'upsert',
      doc: 'What a row does to the row of its key: writes its columns, or deletes it (only the key is needed then). Both do the same when they are repeated.',
    },
    nulls: {
      type: choice('delete', 'skip'),
      default: 'delete',
      doc: 'A field that is null deletes its cell, with one more request for its row, or leaves it as it is.',
    },
    timestamp: {
      type: text,
      doc: 'A timestamp of the rows as the version of their cells: of two rows of a key the later one stays, whichever comes first. Without it rows of one slot replace each other in their order.',
    },
    rows: { type: count(10_000), default: 1000, doc: 'The most rows of a request.' },
    linger: { type: duration('0ms'), default: '100ms', doc: 'How long rows wait for more of them.' },
    inFlight: { type: count(100), default: 4, doc: 'Requests under way at most, per slot.' },
  },
  (_values, written, report) => {
    checkLogins(written, report)
    if (written['mode'] !== 'delete') return
    for (const name of ['nulls', 'columns', 'family'])
      if (memberOf(written, name) !== undefined) report(name, 'has no meaning where rows are deleted')
  },
)

export const tableOptions = new OptionSet(
  {
    ...CONNECTION,
    rowKey: {
      type: rowKey,
      required: 'the name that `key` of the lookup gives to the key of a row',
      doc: `The names in \`key\` of the lookup that make the key of a row. ${KEY_DOC}`,
    },
  },
  (_values, written, report) => {
    checkLogins(written, report)
  },
)

export type HbaseSinkOptions = OptionValues<typeof sinkOptions.table>
export type HbaseTableOptions = OptionValues<typeof tableOptions.table>

export const declaration: ConnectorDeclaration = {
  name: 'hbase',
  doc: 'Writes rows to a table of Apache HBase (2.6 or newer) through its REST gateway by their row key, effectively once, and looks them up.',
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => checkSink(sinkOptions.read(options), schema),
  },
  table: {
    options: tableOptions,
    keys: 'the names of `rowKey`, all of them',
    checkLookup: (options, key, output): OptionProblem[] => checkLookup(tableOptions.read(options), key, output),
  },
}

/** One address tells enough. */
function checkLogins(written: Options, report: ReportOption): void {
  const { url } = written
  const list: readonly unknown[] = Array.isArray(url) ? url : [url]
  for (const one of list) {
    let isSound = true
    checkAuth({ ...written, url: one }, (...problem) => {
      isSound = false
      report(...problem)
    })
    if (!isSound) return
  }
}
