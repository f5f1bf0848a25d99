import { MillraceError } from '../../../model/errors.ts'
import type { CassandraConsistency } from '../../../ports/cassandra-location.ts'
import type { Clock } from '../../../ports/clock.ts'
import { inLanes } from '../../kit/lanes.ts'
import { decodeMark, encodeMark, type GenerationMark, MOST_PARTS } from '../../kit/row-store/generation-mark.ts'
import type { Generation, HeadRow, ObjectRows, Part } from '../../kit/row-store/object-rows.ts'
import { prefixEnd } from '../../kit/row-store/prefix-end.ts'
import type { CassandraRow, Statement } from '../client.ts'
import type { Cell } from '../types.ts'
import { BucketTurns } from './bucket-turns.ts'
import { COLUMNS, type ColumnName, type StoreTable } from './store-table.ts'

/** A part and its answer are one message each; Cassandra's advice is less than 1 MB. */
const PART_BYTES = 512 * 1024
/** 64 MiB a partition; the advice is less than 100 MB. */
const PARTS_A_PARTITION = 128
/** Messages under way side by side: 4 MiB. */
const LANES = 8
/** Keys of a page of a listing. */
const PAGE = 100
/** Nothing comes before it. */
const FIRST_PART = -1
const NOTHING = new Uint8Array()
const APPLIED = { name: '[applied]', type: { kind: 'boolean' } } as const

/** What the partitions hold that list: the heads of files, or the marks of generations. */
type Listed = 'head' | 'mark'

/** Times are microseconds. */
interface Mark extends GenerationMark {
  readonly isCondemned: boolean
}

type Key = readonly [path: string, generation: string]

/**
 * Rows of a store by place, path, generation and part. The places: `head NN` has a row for each file, `mark NN` for each
 * generation, both in 64 partitions by the hash of their path, so that lists are read from few partitions and writers do
 * not wait for each other; `NAME N` has 128 parts of the generation NAME.
 *
 * Cassandra orders plain writes by the clocks of those who make them, and conditional ones by an election of the replicas
 * (Paxos). Both of one row would lose writes; so every write of a head or a mark is conditional, also the one that only
 * replaces, and it is read by the same election (SERIAL), which ends those whose outcome was unclear. Parts are written
 * plainly, once, with the time in the mark, and deleted with the microsecond behind it, whatever the clocks say.
 */
export class CassandraRows implements ObjectRows {
  readonly inlineBytes = 16_000
  readonly partBytes = PART_BYTES
  readonly #table: StoreTable
  readonly #clock: Clock
  readonly #serial: string
  readonly #turns = new BucketTurns()

  constructor(table: StoreTable, consistency: CassandraConsistency, clock: Clock) {
    this.#table = table
    this.#clock = clock
    this.#serial = consistency === 'LOCAL_QUORUM' ? 'LOCAL_SERIAL' : 'SERIAL'
  }

  async head(path: string): Promise<Uint8Array | undefined> {
    const row = await this.#row('head', [path, ''])
    return row === undefined ? undefined : bytesOf(row)
  }

  insertHead(path: string, { generation, bytes }: HeadRow): Promise<boolean> {
    return this.#insert('head', [path, ''], generation, bytes)
  }

  async putHead(path: string, { generation, bytes }: HeadRow): Promise<void> {
    // true unless a try before has done it, also where there is no row
    await this.#decide('head', path, `writing ${path}`, {
      cql: `UPDATE ${this.#table.name} SET state = ?, bytes = ? WHERE ${ONE_ROW} IF state != ?`,
      ...bound(['state', generation], ['bytes', bytes], ...rowKey('head', [path, '']), ['state', generation]),
    })
  }

  async deleteHead(path: string): Promise<void> {
    await this.#delete('head', [path, ''])
  }

  async heads(prefix: string): Promise<readonly string[]> {
    return (await this.#list('head', prefix)).map(([path]) => path)
  }

  async generations(prefix: string): Promise<readonly Generation[]> {
    return (await this.#list('mark', prefix)).map(([path, name]) => ({ path, name }))
  }

  async generationsOf(path: string): Promise<readonly Generation[]> {
    const rows = await this.#table.read(`reading ${path}`, {
      cql: `SELECT generation FROM ${this.#table.name} WHERE place = ? AND path = ?`,
      ...bound(['place', placeOf('mark', path)], ['path', path]),
      reads: [COLUMNS.generation],
      consistency: this.#serial,
    })
    return rows.map((row) => ({ path, name: textOf(row, 'generation') }))
  }

  async writeParts({ path, name }: Generation, parts: readonly Uint8Array[]): Promise<void> {
    const writeTime = BigInt(Math.trunc(this.#clock.now())) * 1000n
    await this.#insert('mark', [path, name], 'written', encodeMark({ parts: parts.length, writeTime }))
    await inLanes(LANES, parts.entries(), async ([part, bytes]) => {
      await this.#table.write(`writing ${path}`, {
        cql: `INSERT INTO ${this.#table.name} (bytes, place, path, generation, part) VALUES (?, ?, ?, ?, ?)`,
        ...bound(
          ['bytes', bytes],
          ['place', placeOfPart(name, part)],
          ['path', path],
          ['generation', name],
          ['part', part],
        ),
        writeTime,
      })
    })
  }

  async parts({ path, name }: Generation, count: number): Promise<readonly Part[]> {
    const found: Part[] = []
    const numbers = Array.from({ length: Math.min(count, MOST_PARTS) }, (_, part) => part)
    await inLanes(LANES, numbers.values(), async (part) => {
      const [row] = await this.#table.read(`reading ${path}`, {
        cql: `SELECT bytes FROM ${this.#table.name} WHERE ${ONE_ROW}`,
        ...bound(['place', placeOfPart(name, part)], ['path', path], ['generation', name], ['part', part]),
        reads: [COLUMNS.bytes],
      })
      if (row !== undefined) found.push({ number: part, bytes: bytesOf(row) })
    })
    return found
  }

  async deleteGeneration(of: Generation): Promise<void> {
    const mark = await this.#mark(of)
    if (mark === undefined) return
    await inLanes(LANES, partitionsOf(mark.parts).values(), async (partition) => {
      await this.#table.write(`deleting ${of.path}`, {
        cql: `DELETE FROM ${this.#table.name} WHERE place = ?`,
        ...bound(['place', placeOfPart(of.name, partition * PARTS_A_PARTITION)]),
        writeTime: mark.writeTime + 1n,
      })
    })
    await this.#delete('mark', [of.path, of.name])
  }

  condemn(of: Generation): Promise<void> {
    return this.#setState(of, 'condemned')
  }

  absolve(of: Generation): Promise<void> {
    return this.#setState(of, 'written')
  }

  /**
   * Parts are deleted after their mark was condemned. They are looked for all the same: a mark whose first writing was
   * answered to nobody may have been condemned and deleted with its parts before it was written again.
   */
  async isKept(of: Generation, count: number): Promise<boolean> {
    const mark = await this.#mark(of)
    if (mark === undefined || mark.isCondemned) return false
    let found = 0
    await inLanes(LANES, partitionsOf(count).values(), async (partition) => {
      const rows = await this.#table.read(`reading ${of.path}`, {
        cql: `SELECT part FROM ${this.#table.name} WHERE place = ?`,
        ...bound(['place', placeOfPart(of.name, partition * PARTS_A_PARTITION)]),
        reads: [COLUMNS.part],
      })
      found += rows.length
    })
    return found === count
  }

  /** A generation that has no mark has no parts either. */
  async #setState({ path, name }: Generation, state: string): Promise<void> {
    await this.#decide('mark', path, `marking ${path}`, {
      cql: `UPDATE ${this.#table.name} SET state = ? WHERE ${ONE_ROW} IF EXISTS`,
      ...bound(['state', state], ...rowKey('mark', [path, name])),
    })
  }

  async #mark({ path, name }: Generation): Promise<Mark | undefined> {
    const row = await this.#row('mark', [path, name])
    return row === undefined
      ? undefined
      : { ...decodeMark(bytesOf(row), path), isCondemned: row['state'] !== 'written' }
  }

  async #row(listed: Listed, key: Key): Promise<CassandraRow | undefined> {
    const [row] = await this.#table.read(`reading ${key[0]}`, {
      cql: `SELECT state, bytes FROM ${this.#table.name} WHERE ${ONE_ROW}`,
      ...bound(...rowKey(listed, key)),
      reads: [COLUMNS.state, COLUMNS.bytes],
      consistency: this.#serial,
    })
    return row
  }

  #insert(listed: Listed, key: Key, state: string, bytes: Uint8Array): Promise<boolean> {
    return this.#decide(listed, key[0], `writing ${key[0]}`, {
      cql: `INSERT INTO ${this.#table.name} (state, bytes, place, path, generation, part) VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS`,
      ...bound(['state', state], ['bytes', bytes], ...rowKey(listed, key)),
    })
  }

  #delete(listed: Listed, key: Key): Promise<boolean> {
    return this.#decide(listed, key[0], `deleting ${key[0]}`, {
      cql: `DELETE FROM ${this.#table.name} WHERE ${ONE_ROW} IF EXISTS`,
      ...bound(...rowKey(listed, key)),
    })
  }

  /** A conditional write. False: the condition was not met, maybe since a try before had met it. */
  async #decide(listed: Listed, path: string, doing: string, statement: Statement): Promise<boolean> {
    const [row] = await this.#turns.take(placeOf(listed, path), () =>
      this.#table.write(doing, { ...statement, reads: [APPLIED], serialConsistency: this.#serial }),
    )
    return row?.[APPLIED.name] === true
  }

  async #list(listed: Listed, prefix: string): Promise<readonly Key[]> {
    const found: Key[] = []
    await inLanes(LANES, BUCKETS.values(), async (bucket) => {
      found.push(...(await this.#listBucket(`${listed} ${bucket}`, prefix)))
    })
    return found.filter(([path]) => path.startsWith(prefix))
  }

  async #listBucket(place: string, prefix: string): Promise<readonly Key[]> {
    const found: Key[] = []
    const end = prefixEnd(prefix)
    let after: readonly [...Key, part: number] = [prefix, '', FIRST_PART]
    for (;;) {
      const [path, generation, part] = after
      const page = await this.#table.read(`listing ${prefix}`, {
        cql: `SELECT path, generation FROM ${this.#table.name} WHERE place = ? AND (path, generation, part) > (?, ?, ?)${end === undefined ? '' : ' AND (path) < (?)'} LIMIT ${PAGE}`,
        ...bound(
          ['place', place],
          ['path', path],
          ['generation', generation],
          ['part', part],
          ...(end === undefined ? [] : [['path', end] as const]),
        ),
        reads: [COLUMNS.path, COLUMNS.generation],
      })
      for (const row of page) found.push([textOf(row, 'path'), textOf(row, 'generation')])
      const last = found.at(-1)
      if (page.length < PAGE || last === undefined) return found
      if (!isBehind(last, [path, generation])) throw unordered(place)
      after = [...last, 0]
    }
  }
}

const BUCKETS = Array.from({ length: 64 }, (_, bucket) => String(bucket).padStart(2, '0'))
const ONE_ROW = 'place = ? AND path = ? AND generation = ? AND part = ?'

function placeOf(listed: Listed, path: string): string {
  return `${listed} ${BUCKETS[hashOf(path) % BUCKETS.length] ?? ''}`
}

function partitionsOf(parts: number): readonly number[] {
  return Array.from({ length: Math.ceil(parts / PARTS_A_PARTITION) }, (_, partition) => partition)
}

function placeOfPart(generation: string, part: number): string {
  return `${generation} ${Math.floor(part / PARTS_A_PARTITION)}`
}

/** FNV-1a of 32 bits: where the row of a path lies must never change. */
function hashOf(path: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(path)) hash = Math.imul(hash ^ byte, 0x01000193)
  // the lowest bits of a product depend on few bits of the bytes
  return (hash ^ (hash >>> 16)) >>> 0
}

type BoundValue = readonly [ColumnName, Cell]

function rowKey(listed: Listed, [path, generation]: Key): readonly BoundValue[] {
  return [
    ['place', placeOf(listed, path)],
    ['path', path],
    ['generation', generation],
    ['part', 0],
  ]
}

function bound(...values: readonly BoundValue[]): Pick<Statement, 'values' | 'types'> {
  return { values: values.map(([, value]) => value), types: values.map(([name]) => COLUMNS[name].type) }
}

/** Empty where somebody else has written NULL: no head and no mark is. */
function bytesOf(row: CassandraRow): Uint8Array {
  const cell = row['bytes']
  return cell instanceof Uint8Array ? cell : NOTHING
}

function textOf(row: CassandraRow, name: ColumnName): string {
  return String(row[name] ?? '')
}

function isBehind(key: Key, other: Key): boolean {
  const order = Buffer.compare(Buffer.from(key[0]), Buffer.from(other[0]))
  return order > 0 || (order === 0 && key[1] > other[1])
}

function unordered(place: string): MillraceError {
  return new MillraceError('STORE_LIST_UNORDERED', `Cassandra listed the rows of ${place} in no order`, {
    domain: 'dependency',
  })
}
