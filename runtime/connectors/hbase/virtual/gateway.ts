import { MillraceError } from '../../../model/errors.ts'
import { membersOf } from '../../../model/fields.ts'
import { familyOf } from '../gateway.ts'
import type { HttpAnswer, HttpClient, OutgoingRequest } from '../../../ports/http-client.ts'

/**
 * A request is not carried out; it is and nobody hears of it; or nobody hears of it and it is carried out behind those
 * that follow it.
 */
export type Mishap = 'refused' | 'unheard' | 'late'

/** A value is bytes in base64; undefined is the marker of a deletion, which hides all that is not newer. */
interface Version {
  readonly value: string | undefined
  readonly time: number
}

interface ShownCell {
  readonly value: string
  readonly time: number
}

interface SentCell {
  readonly column: string
  readonly $: string
}

const OK: HttpAnswer = { status: 200, body: '' }

/**
 * A table in memory behind a REST gateway. Of the cells of a column it keeps the newest, and markers of deletions hide
 * values of their own version and older ones, also those that are written later, as HBase has it until a compaction.
 */
export class VirtualHbase implements HttpClient {
  readonly table: string
  readonly families: readonly string[]
  /** The mishaps that the next changes meet, in turn; none once it is empty. */
  readonly mishaps: (Mishap | undefined)[] = []
  /** Answers given in place of those of the table, in turn. */
  readonly answers: HttpAnswer[] = []
  readonly requests: OutgoingRequest[] = []
  /** The clock of the region server. */
  serverNow: () => number = () => 1
  /** By key, and then by column, in base64. */
  readonly #rows = new Map<string, Map<string, Version[]>>()
  #late: (() => void)[] = []
  readonly #turn: () => Promise<void>

  /** `turn` resolves when a request arrives: tests let requests overtake each other. */
  constructor(
    table = 'orders',
    families: readonly string[] = ['d'],
    turn: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.table = table
    this.families = families
    this.#turn = turn
  }

  async send(request: OutgoingRequest): Promise<HttpAnswer> {
    this.requests.push(request)
    await this.#turn()
    const answer = this.answers.shift()
    if (answer !== undefined) return answer
    const { pathname, searchParams } = new URL(request.url)
    const [table = '', ...path] = pathname.slice(1).split('/').map(decodeURIComponent)
    if (table !== this.table)
      return { status: 404, body: `Not found\r\norg.apache.hadoop.hbase.TableNotFoundException: ${table}\r\n\tat …` }
    if (request.method === 'GET') {
      if (path[0] === 'schema') return this.#schema()
      return path[0] === '*' ? this.#scan(searchParams) : this.#get(path[1] ?? '', searchParams.getAll('row'))
    }
    return this.#change(() => {
      if (searchParams.get('check') === 'put') return this.#checkAndPut(request.body ?? '')
      if (request.method === 'PUT') this.#put(request.body ?? '')
      else this.#delete(path)
      return OK
    })
  }

  /** Lets arrive what was given up and is still on its way. */
  arrive(): void {
    const late = this.#late
    this.#late = []
    for (const change of late) change()
  }

  /** The cells that are there, as texts of their bytes in base64, by key and column. */
  rows(): Map<string, Map<string, string>> {
    const shown = [...this.#rows.keys()].sort().map((key) => [key, this.#cells(key)] as const)
    return new Map(shown.filter(([, cells]) => cells.size > 0))
  }

  #change(carryOut: () => HttpAnswer): HttpAnswer {
    const mishap = this.mishaps.shift()
    if (mishap === 'late') this.#late.push(carryOut)
    const answer = mishap === 'late' || mishap === 'refused' ? OK : carryOut()
    if (mishap === undefined) {
      // behind a later one that is through, so that order alone does not help
      this.arrive()
      return answer
    }
    if (mishap === 'refused') return { status: 503, body: 'Unavailable\r\njava.io.IOException: away\r\n' }
    throw new MillraceError('HTTP_FAILED', mishap, { domain: 'dependency', retriable: true })
  }

  #schema(): HttpAnswer {
    return {
      status: 200,
      body: JSON.stringify({ name: this.table, ColumnSchema: this.families.map((name) => ({ name })) }),
    }
  }

  #put(body: string): void {
    const { Row: rows } = membersOf(JSON.parse(body))
    for (const row of rows as { key: string; Cell: (SentCell & { timestamp: number })[] }[])
      for (const { column, timestamp, $ } of row.Cell) this.#add(row.key, column, { value: $, time: timestamp })
  }

  /** The row is locked meanwhile. What it writes is not older than what it has compared. */
  #checkAndPut(body: string): HttpAnswer {
    const { Row: rows } = membersOf(JSON.parse(body))
    const [{ key, Cell: cells } = { key: '', Cell: [] }] = rows as { key: string; Cell: SentCell[] }[]
    const check = cells.at(-1)
    if (check === undefined) return { status: 400, body: 'Bad request' }
    const known = this.#shown(key).get(check.column)
    if ((known?.value ?? '') !== check.$) return { status: 304, body: 'Value not Modified' }
    const time = Math.max(this.serverNow(), known?.time ?? 0)
    for (const { column, $ } of cells.slice(0, -1)) this.#add(key, column, { value: $, time })
    return OK
  }

  #scan(query: URLSearchParams): HttpAnswer {
    const column = Buffer.from(query.get('column') ?? '').toString('base64')
    const [from, to] = ['startrow', 'endrow'].map((name) => Buffer.from(query.get(name) ?? '')) as [Buffer, Buffer]
    const found = [...this.#rows.keys()]
      .map((key) => ({ key, bytes: Buffer.from(key, 'base64'), cell: this.#shown(key).get(column) }))
      .filter(({ bytes, cell }) => cell !== undefined && bytes.compare(from) >= 0 && bytes.compare(to) < 0)
      .sort((one, other) => one.bytes.compare(other.bytes))
      .slice(0, Number(query.get('limit')))
      .map(({ key, cell }) => ({ key, Cell: [{ column, timestamp: cell?.time, $: cell?.value }] }))
    return { status: 200, body: JSON.stringify({ Row: found }) }
  }

  #delete([key = '', columns = '', time = '']: readonly string[]): void {
    // a family is marked as a whole: the marker hides columns that nobody has written yet, too
    for (const column of columns.split(',').map(padded))
      this.#add(padded(key), column, { value: undefined, time: Number(time) })
  }

  #add(key: string, column: string, version: Version): void {
    const row = this.#rows.get(key) ?? new Map<string, Version[]>()
    this.#rows.set(key, row.set(column, [...(row.get(column) ?? []), version]))
  }

  #get(columns: string, keys: readonly string[]): HttpAnswer {
    const wanted = columns.split(',').map((column) => Buffer.from(column).toString('base64'))
    const found = keys.map(padded).flatMap((key) => {
      const cells = [...this.#shown(key)].filter(([column]) => wanted.includes(column))
      const sent = cells.map(([column, { value: $, time: timestamp }]) => ({ column, timestamp, $ }))
      return cells.length === 0 ? [] : [{ key, Cell: sent }]
    })
    return found.length === 0
      ? { status: 404, body: 'No rows found.\r\n' }
      : { status: 200, body: JSON.stringify({ Row: found }) }
  }

  #cells(key: string): Map<string, string> {
    return new Map([...this.#shown(key)].map(([column, { value }]) => [column, value]))
  }

  #shown(key: string): Map<string, ShownCell> {
    const shown = new Map<string, ShownCell>()
    const row = this.#rows.get(key)
    for (const [column, versions] of row ?? []) {
      const marks = [...versions, ...(row?.get(familyIn(column)) ?? [])]
      const deleted = Math.max(-1, ...marks.filter(({ value }) => value === undefined).map(({ time }) => time))
      let newest: Version | undefined
      for (const version of versions)
        if (version.value !== undefined && version.time > deleted && version.time >= (newest?.time ?? 0))
          newest = version
      if (newest?.value !== undefined) shown.set(column, { value: newest.value, time: newest.time })
    }
    return shown
  }
}

/** A column → its family, both in base64. */
function familyIn(column: string): string {
  return Buffer.from(familyOf(Buffer.from(column, 'base64').toString())).toString('base64')
}

/** base64 for addresses → as it is elsewhere. */
function padded(text: string): string {
  return Buffer.from(text, 'base64url').toString('base64')
}
