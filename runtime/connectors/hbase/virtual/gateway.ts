import { MillraceError } from '../../../model/errors.ts'
import { membersOf } from '../../../model/fields.ts'
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
    if (request.method === 'GET')
      return path[0] === 'schema' ? this.#schema() : this.#get(path[1] ?? '', searchParams.getAll('row'))
    return this.#change(() => {
      if (request.method === 'PUT') this.#put(request.body ?? '')
      else this.#delete(path)
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

  #change(carryOut: () => void): HttpAnswer {
    const mishap = this.mishaps.shift()
    if (mishap === 'late') this.#late.push(carryOut)
    else if (mishap !== 'refused') carryOut()
    if (mishap === undefined) {
      // behind a later one that is through, so that order alone does not help
      this.arrive()
      return OK
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
    for (const row of rows as { key: string; Cell: { column: string; timestamp: number; $: string }[] }[])
      for (const { column, timestamp, $ } of row.Cell) this.#add(row.key, column, { value: $, time: timestamp })
  }

  #delete([key = '', columns = '', time = '']: readonly string[]): void {
    for (const column of columns.split(',').map(padded)) {
      const written = [...(this.#rows.get(padded(key))?.keys() ?? [])]
      const family = Buffer.from(column, 'base64').toString()
      const hidden = family.includes(':')
        ? [column]
        : written.filter((one) => Buffer.from(one, 'base64').toString().startsWith(`${family}:`))
      for (const one of hidden) this.#add(padded(key), one, { value: undefined, time: Number(time) })
    }
  }

  #add(key: string, column: string, version: Version): void {
    const row = this.#rows.get(key) ?? new Map<string, Version[]>()
    this.#rows.set(key, row.set(column, [...(row.get(column) ?? []), version]))
  }

  #get(columns: string, keys: readonly string[]): HttpAnswer {
    const wanted = columns.split(',').map((column) => Buffer.from(column).toString('base64'))
    const found = keys.map(padded).flatMap((key) => {
      const cells = [...this.#cells(key)].filter(([column]) => wanted.includes(column))
      return cells.length === 0 ? [] : [{ key, Cell: cells.map(([column, $]) => ({ column, timestamp: 1, $ })) }]
    })
    return found.length === 0
      ? { status: 404, body: 'No rows found.\r\n' }
      : { status: 200, body: JSON.stringify({ Row: found }) }
  }

  #cells(key: string): Map<string, string> {
    const shown = new Map<string, string>()
    for (const [column, versions] of this.#rows.get(key) ?? []) {
      const deleted = Math.max(-1, ...versions.filter(({ value }) => value === undefined).map(({ time }) => time))
      let newest: Version | undefined
      for (const version of versions)
        if (version.value !== undefined && version.time > deleted && version.time >= (newest?.time ?? 0))
          newest = version
      if (newest?.value !== undefined) shown.set(column, newest.value)
    }
    return shown
  }
}

/** base64 for addresses → as it is elsewhere. */
function padded(text: string): string {
  return Buffer.from(text, 'base64url').toString('base64')
}
