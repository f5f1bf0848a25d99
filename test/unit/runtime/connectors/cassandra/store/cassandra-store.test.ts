import { describe, expect, test } from 'vitest'
import type { CassandraClient, Statement } from '../../../../../../runtime/connectors/cassandra/client.ts'
import { openCassandraStore } from '../../../../../../runtime/connectors/cassandra/store/open-cassandra-store.ts'
import {
  type StoreMishap,
  storeTable,
  VirtualStoreCassandra,
} from '../../../../../../runtime/connectors/cassandra/virtual/store-cluster.ts'
import { MillraceError } from '../../../../../../runtime/model/errors.ts'
import { realRng } from '../../../../../../runtime/ports/real/rng.ts'
import type { Store } from '../../../../../../runtime/ports/store.ts'
import { mulberry } from '../../../../../../sim/seeded-random.ts'
import { jumpingPorts } from '../../../../../harness/kafka/jumping-clock.ts'
import { expectOneCreator, rowStoreSuite, type Through } from '../../../../../harness/row-store-suite.ts'

const MISHAPS: readonly StoreMishap[] = ['refused', 'unheard', 'undecided']
const PART_BYTES = 512 * 1024
const LOCATION = { keyspace: 'streams', table: 'state', consistency: 'QUORUM' } as const
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

function open(cassandra: VirtualStoreCassandra, prefix = '', through: Through = (act) => act()): Store {
  const { clock } = jumpingPorts()
  const real = cassandra.connect()
  const client: CassandraClient = { ...real, execute: (statement) => through(() => real.execute(statement)) }
  return openCassandraStore({ ...LOCATION, prefix }, client, { clock, rng: realRng })
}

function lost(why: string): MillraceError {
  return new MillraceError('CASSANDRA_UNREACHABLE', why, { domain: 'dependency', retriable: true })
}

describe('a store in Cassandra in memory', () => {
  const cassandra = new VirtualStoreCassandra()
  rowStoreSuite({
    open: (folder, through) => open(cassandra, folder, through),
    lost,
    inlineBytes: 16_000,
    partBytes: PART_BYTES,
    listed: 10_000,
  })
})

/** The first statement that this is part of, of each caller, meets a mishap. */
function striking(part: string, mishap: StoreMishap): VirtualStoreCassandra {
  const cassandra = new VirtualStoreCassandra()
  cassandra.table = storeTable()
  let isStruck = false
  cassandra.mishapOf = ({ cql }) => {
    if (isStruck || !cql.includes(part)) return undefined
    isStruck = true
    return mishap
  }
  return cassandra
}

describe('a store in Cassandra', () => {
  test('under faults of any call a file has one creator, who knows it, and whose bytes are whole', async () => {
    for (let seed = 0; seed < 150; seed++) {
      const cassandra = new VirtualStoreCassandra()
      cassandra.table = storeTable()
      const draw = mulberry(seed)
      cassandra.mishapOf = () => (draw() < 0.3 ? MISHAPS[Math.floor(draw() * MISHAPS.length)] : undefined)
      const arrive = (): void => undefined
      await expectOneCreator((folder) => open(cassandra, folder), { folder: `${seed}/`, large: 20_000, arrive })
    }
  })

  test.each(['refused', 'unheard', 'undecided'] as const)(
    'when the write of a head ends %s, it is created once, and its caller knows it',
    async (mishap) => {
      const cassandra = striking('IF NOT EXISTS', mishap)
      const store = open(cassandra)
      expect(await store.createIfAbsent('log/1', text('mine'))).toBe('created')
      expect(await store.createIfAbsent('log/1', text('other'))).toBe('exists')
      expect(Buffer.from((await store.get('log/1')) ?? []).toString()).toBe('mine')
    },
  )

  test.each(['refused', 'unheard', 'undecided'] as const)(
    'when a head that replaces another one ends %s, it replaces it',
    async (mishap) => {
      const cassandra = striking('IF state != ?', mishap)
      const store = open(cassandra)
      await store.createIfAbsent('a', text('first'))
      await store.put('a', text('second'))
      expect(Buffer.from((await store.get('a')) ?? []).toString()).toBe('second')
    },
  )

  test('a creation that nobody could end is seen by the next one, and by readers', async () => {
    const cassandra = new VirtualStoreCassandra()
    cassandra.table = storeTable()
    const store = open(cassandra)
    cassandra.mishapOf = ({ cql }) => (cql.startsWith('INSERT') ? 'undecided' : undefined)
    await expect(store.createIfAbsent('log/1', text('first'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    cassandra.mishapOf = () => undefined
    expect(Buffer.from((await open(cassandra).get('log/1')) ?? []).toString()).toBe('first')
    expect(await open(cassandra).createIfAbsent('log/1', text('second'))).toBe('exists')
  })

  test('every write of a head or a mark is conditional, and every read of them by their path is serial', async () => {
    const cassandra = new VirtualStoreCassandra()
    const store = open(cassandra)
    await store.put('a', new Uint8Array(2 * PART_BYTES))
    await store.put('a', text('short'))
    await store.get('a')
    for (const path of await store.unfinished('')) await store.delete(path)
    await store.createIfAbsent('b', text('x'))
    await store.delete('b')
    const placed = cassandra.statements.filter(({ values }) =>
      values.some((value) => typeof value === 'string' && /^(?:head|mark) \d\d$/.test(value)),
    )
    const isList = ({ cql }: Statement): boolean => cql.includes('LIMIT')
    const writes = placed.filter(({ cql }) => !cql.startsWith('SELECT'))
    expect(writes.length).toBeGreaterThan(5)
    expect(
      writes.filter(({ cql, serialConsistency }) => !cql.includes(' IF ') || serialConsistency !== 'SERIAL'),
    ).toEqual([])
    const reads = placed.filter((statement) => statement.cql.startsWith('SELECT') && !isList(statement))
    expect(reads.length).toBeGreaterThan(3)
    expect(reads.filter(({ consistency }) => consistency !== 'SERIAL')).toEqual([])
  })

  test('a deletion hides parts that a writer with a clock ahead has written, and those that come late', async () => {
    const cassandra = new VirtualStoreCassandra()
    const ahead = jumpingPorts().clock
    const late: Statement[] = []
    const real = cassandra.connect()
    const client: CassandraClient = {
      ...real,
      execute: async (statement) => {
        const isPart = statement.cql.startsWith('INSERT') && statement.writeTime !== undefined
        if (isPart && statement.values.includes(2)) late.push(statement)
        return isPart && statement.values.includes(2) ? [] : real.execute(statement)
      },
    }
    const writer = openCassandraStore({ ...LOCATION, prefix: '' }, client, {
      clock: { ...ahead, now: () => ahead.now() + 3_600_000 },
      rng: realRng,
    })
    await expect(writer.put('a', new Uint8Array(4 * PART_BYTES))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    for (const path of await open(cassandra).unfinished('')) await open(cassandra).delete(path)
    for (const statement of late) await real.execute(statement)
    expect([late.length, cassandra.rows.size]).toEqual([1, 0])
  })

  test('a put whose parts are swept while the answer about their mark is lost fails, and leaves no file', async () => {
    const cassandra = new VirtualStoreCassandra()
    const sweeper = open(cassandra)
    await sweeper.put('b', text('other'))
    let swept: string[] | undefined
    const writer = open(cassandra, '', async (act) => {
      const result = await act()
      if (swept !== undefined || cassandra.statements.at(-1)?.values[0] !== 'written') return result
      swept = await sweeper.unfinished('')
      for (const path of swept) await sweeper.delete(path)
      throw lost('the answer is lost')
    })
    await expect(writer.put('a', new Uint8Array(PART_BYTES))).rejects.toMatchObject({
      cause: { code: 'STORE_WRITE_SWEPT' },
    })
    expect(swept).toHaveLength(1)
    expect(await sweeper.list('')).toEqual(['b'])
  })

  test('parts of a file fill partitions of 64 MiB', async () => {
    const cassandra = new VirtualStoreCassandra()
    const store = open(cassandra)
    const bytes = new Uint8Array(129 * PART_BYTES)
    await store.put('large', bytes)
    const places = [...cassandra.rows.values()]
      .map(({ key }) => String(key[0]))
      .filter((place) => !/^head|^mark/.test(place))
    expect(places.filter((place) => place.endsWith(' 0'))).toHaveLength(128)
    expect(places.filter((place) => place.endsWith(' 1'))).toHaveLength(1)
    expect(await store.get('large')).toHaveLength(bytes.length)
    await store.delete('large')
    expect(cassandra.rows.size).toBe(0)
  })

  test('reading makes no table, and finds nothing; the first write makes it', async () => {
    const cassandra = new VirtualStoreCassandra()
    const store = open(cassandra)
    expect([await store.list(''), await store.get('a'), await store.unfinished('')]).toEqual([[], undefined, []])
    expect(cassandra.table).toBe('absent')
    await store.put('a', text('x'))
    expect(cassandra.table).toEqual(storeTable())
    expect(await store.list('')).toEqual(['a'])
  })

  test('a keyspace that is not there is reported with the statement that makes it, and none is made', async () => {
    const cassandra = new VirtualStoreCassandra()
    cassandra.table = undefined
    for (const call of [open(cassandra).list(''), open(cassandra).put('a', text('x'))])
      await expect(call).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        hint: expect.stringContaining('CREATE KEYSPACE "streams" WITH replication') as string,
        cause: { code: 'STORE_KEYSPACE_UNKNOWN' },
      })
    expect(cassandra.statements.filter(({ cql }) => cql.startsWith('CREATE'))).toEqual([])
  })

  test('a table that may not be made is reported with the statement to run', async () => {
    const cassandra = new VirtualStoreCassandra()
    cassandra.forbids = 'no CREATE on streams'
    await expect(open(cassandra).put('a', text('x'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      hint: expect.stringMatching(/^Run: CREATE TABLE IF NOT EXISTS "streams"."state" \(place text, /) as string,
    })
  })

  test.each([
    [{ columns: storeTable().columns.slice(1) }, 'has no column place'],
    [
      { columns: storeTable().columns.map((column) => ({ ...column, type: { kind: 'text' } as const })) },
      'has part as text',
    ],
    [{ clusteringKey: ['path'] }, 'has the primary key (place, path)'],
  ])('a table of another shape is refused: %#', async (change, words) => {
    const cassandra = new VirtualStoreCassandra()
    cassandra.table = { ...storeTable(), ...change }
    await expect(open(cassandra).list('')).rejects.toMatchObject({
      cause: { code: 'STORE_TABLE_UNFIT', message: expect.stringContaining(words) as string },
    })
  })

  test('a table that is listed before the node takes statements of it is waited for', async () => {
    const cassandra = new VirtualStoreCassandra()
    cassandra.table = storeTable()
    let refusals = 3
    const store = open(cassandra, '', (act) => {
      if (refusals-- <= 0) return act()
      return Promise.reject(
        new MillraceError('CASSANDRA_REFUSED', 'the Cassandra at node:9042: table state does not exist', {
          domain: 'user',
        }),
      )
    })
    expect(await store.list('')).toEqual([])
    expect(refusals).toBeLessThan(0)
  })

  test('a table that somebody drops is made again by the next write', async () => {
    const cassandra = new VirtualStoreCassandra()
    const store = open(cassandra)
    await store.put('a', text('x'))
    cassandra.table = 'absent'
    cassandra.rows.clear()
    await expect(store.put('a', text('y'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await store.put('a', text('z'))
    expect(Buffer.from((await store.get('a')) ?? []).toString()).toBe('z')
  })

  test.each([
    ['a head that is none', { state: 'x', bytes: text('none') }, 'get'],
    ['a head without bytes', { state: 'x', bytes: null }, 'get'],
    ['a mark that is none', { state: 'written', bytes: text('{"parts":1e9,"writeTime":"1"}') }, 'delete'],
    ['a mark without a time', { state: 'written', bytes: text('{"parts":1}') }, 'delete'],
  ] as const)('%s is refused', async (_what, row, act) => {
    const cassandra = new VirtualStoreCassandra()
    const store = open(cassandra)
    await store.put('a', new Uint8Array(PART_BYTES))
    for (const stored of cassandra.rows.values())
      for (const [name, cell] of Object.entries(row)) stored.cells.set(name, cell)
    await expect(store[act]('a')).rejects.toMatchObject({ cause: { code: 'STORE_OBJECT_UNREADABLE' } })
  })

  test('a server that lists the same page again and again is refused', async () => {
    const cassandra = new VirtualStoreCassandra()
    cassandra.table = storeTable()
    const real = cassandra.connect()
    const page = Array.from({ length: 100 }, () => ({ path: 'a', generation: '' }))
    const client: CassandraClient = { ...real, execute: async () => page }
    const { clock } = jumpingPorts()
    const store = openCassandraStore({ ...LOCATION, prefix: '' }, client, { clock, rng: realRng })
    await expect(store.list('')).rejects.toMatchObject({ cause: { code: 'STORE_LIST_UNORDERED' } })
  })
})
