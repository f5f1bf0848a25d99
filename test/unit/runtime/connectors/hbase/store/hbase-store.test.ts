import { describe, expect, test } from 'vitest'
import { openHbaseStore } from '../../../../../../runtime/connectors/hbase/store/open-hbase-store.ts'
import { type Mishap, VirtualHbase } from '../../../../../../runtime/connectors/hbase/virtual/gateway.ts'
import { MillraceError } from '../../../../../../runtime/model/errors.ts'
import type { Clock } from '../../../../../../runtime/ports/clock.ts'
import type { HttpAnswer, HttpClient, OutgoingRequest } from '../../../../../../runtime/ports/http-client.ts'
import { realRng } from '../../../../../../runtime/ports/real/rng.ts'
import type { Store } from '../../../../../../runtime/ports/store.ts'
import { mulberry } from '../../../../../../sim/seeded-random.ts'
import { jumpingPorts } from '../../../../../harness/kafka/jumping-clock.ts'
import { expectOneCreator, rowStoreSuite, type Through } from '../../../../../harness/row-store-suite.ts'

const MISHAPS: readonly Mishap[] = ['refused', 'unheard', 'late']
const PART_BYTES = 512 * 1024
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const textAt = async (store: Store, path: string): Promise<string> =>
  Buffer.from((await store.get(path)) ?? text('absent')).toString()

function open(
  hbase: HttpClient,
  prefix = '',
  through: Through = (act) => act(),
  clock: Clock = jumpingPorts().clock,
): Store {
  const httpClient = { send: (request: OutgoingRequest) => through(() => hbase.send(request)) }
  const secretFiles = { read: async () => 'secret' }
  const location = { urls: ['http://one:8080'], table: 'state', prefix, login: undefined, tls: undefined }
  return openHbaseStore(location, { clock, rng: realRng, httpClient, secretFiles })
}

function table(): VirtualHbase {
  const hbase = new VirtualHbase('state')
  let now = 0
  // no two are of the same millisecond
  hbase.serverNow = () => ++now
  return hbase
}

function lost(why: string): MillraceError {
  return new MillraceError('HTTP_FAILED', why, { domain: 'dependency', retriable: true })
}

describe('a store in HBase in memory', () => {
  const hbase = table()
  rowStoreSuite({
    open: (folder, through) => open(hbase, folder, through),
    lost,
    inlineBytes: 16_000,
    partBytes: PART_BYTES,
    listed: 1500,
  })
})

describe('a store in HBase', () => {
  test('under faults of any write a file has one creator, who knows it, and whose bytes are whole', async () => {
    for (let seed = 0; seed < 150; seed++) {
      const hbase = table()
      const draw = mulberry(seed)
      for (let n = 0; n < 60; n++)
        hbase.mishaps.push(draw() < 0.4 ? MISHAPS[Math.floor(draw() * MISHAPS.length)] : undefined)
      const arrive = (): void => {
        hbase.arrive()
      }
      await expectOneCreator((folder) => open(hbase, folder), { folder: `${seed}/`, large: 20_000, arrive })
    }
  })

  test.each<Mishap>(['refused', 'unheard', 'late'])(
    'when the write of a head ends %s, it is created once, and its caller knows it',
    async (mishap) => {
      const hbase = table()
      hbase.mishaps.push(mishap)
      expect(await open(hbase).createIfAbsent('log/1', text('mine'))).toBe('created')
      hbase.arrive()
      expect(await open(hbase).createIfAbsent('log/1', text('other'))).toBe('exists')
      expect(await textAt(open(hbase), 'log/1')).toBe('mine')
    },
  )

  test.each<Mishap>(['refused', 'unheard', 'late'])(
    'when a head that replaces another one ends %s, it replaces it',
    async (mishap) => {
      const hbase = table()
      const store = open(hbase)
      await store.createIfAbsent('a', text('first'))
      hbase.mishaps.push(mishap)
      await store.put('a', text('second'))
      await store.put('a', text('third'))
      hbase.arrive()
      expect(await textAt(store, 'a')).toBe('third')
    },
  )

  test.each(['put', 'createIfAbsent'] as const)(
    '%s of a file that was deleted by a server with a clock ahead is repeated until the file is seen',
    async (act) => {
      const hbase = table()
      const { clock } = jumpingPorts()
      const store = open(hbase, '', (run) => run(), clock)
      const begin = clock.now()
      hbase.serverNow = () => begin + 3000
      await store.put('a', text('first'))
      await store.delete('a')
      // the region moved to another server
      hbase.serverNow = () => clock.now()
      await store[act]('a', text('second'))
      expect(await textAt(store, 'a')).toBe('second')
      expect(await store.createIfAbsent('a', text('third'))).toBe('exists')
    },
  )

  test('a write that HBase goes on hiding is no success', async () => {
    const hbase = table()
    const store = open(hbase)
    hbase.serverNow = () => 1000
    await store.put('a', text('first'))
    await store.delete('a')
    for (const write of [() => store.put('a', text('second')), () => store.createIfAbsent('a', text('second'))])
      await expect(write()).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        cause: { message: expect.stringContaining('does not show it') as string },
      })
  })

  test('a file that is replaced within a millisecond, or by a server with a clock behind, is the new one', async () => {
    const hbase = table()
    const store = open(hbase)
    for (const [now, value] of [
      [1000, 'first'],
      [1000, 'second'],
      [500, 'third'],
    ] as const) {
      hbase.serverNow = () => now
      await store.put('a', text(value))
      expect(await textAt(store, 'a')).toBe(value)
    }
  })

  test('a put whose parts are swept while the answer about their mark is lost fails, and leaves no file', async () => {
    const hbase = table()
    const sweeper = open(hbase)
    let swept: string[] | undefined
    const writer = open(hbase, '', async (act) => {
      const result = await act()
      if (swept !== undefined) return result
      swept = await sweeper.unfinished('')
      for (const path of swept) await sweeper.delete(path)
      throw lost('the answer is lost')
    })
    await expect(writer.put('a', new Uint8Array(PART_BYTES))).rejects.toMatchObject({
      cause: { code: 'STORE_WRITE_SWEPT' },
    })
    expect(swept).toHaveLength(1)
    expect(await sweeper.list('')).toEqual([])
  })

  test('a deletion hides parts that come late, whatever the clock of their writer', async () => {
    const hbase = table()
    const { clock } = jumpingPorts()
    const ahead = { ...clock, now: () => clock.now() + 3_600_000 }
    const late: OutgoingRequest[] = []
    const delayed: HttpClient = {
      send: async (request) => {
        if (!request.url.endsWith('/rows')) return hbase.send(request)
        late.push(request)
        return { status: 200, body: '' }
      },
    }
    await expect(
      open(delayed, '', (act) => act(), ahead).put('a', new Uint8Array(9 * PART_BYTES)),
    ).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    for (const path of await open(hbase).unfinished('')) await open(hbase).delete(path)
    for (const request of late) await hbase.send(request)
    expect([late.length, hbase.rows().size]).toEqual([3, 0])
  })

  test('nothing is left of a file that was deleted', async () => {
    const hbase = table()
    const store = open(hbase)
    await store.put('large', new Uint8Array(9 * PART_BYTES))
    await store.put('short', text('x'))
    expect(hbase.rows().size).toBe(1 + 1 + 9 + 1)
    await store.delete('large')
    await store.delete('short')
    expect(hbase.rows().size).toBe(0)
  })

  test('marks of paths with # belong to their own path', async () => {
    const hbase = table()
    const store = open(hbase)
    await store.put('a', new Uint8Array(PART_BYTES))
    await store.put('a#b', new Uint8Array(PART_BYTES + 1))
    await store.delete('a')
    expect(await store.get('a#b')).toHaveLength(PART_BYTES + 1)
    expect(await store.unfinished('')).toEqual([])
  })

  test.each<[string, HttpAnswer, object]>([
    [
      'no table',
      { status: 404, body: 'Not found\norg.apache.hadoop.hbase.TableNotFoundException: state' },
      { code: 'HBASE_TABLE_UNKNOWN' },
    ],
    ['another service', { status: 200, body: '<html>' }, { code: 'HBASE_NO_GATEWAY' }],
    [
      'cells without versions',
      { status: 200, body: '{"Row":[{"key":"aGE=","Cell":[{"column":"ZDpn","$":"eA=="}]}]}' },
      { code: 'HBASE_NO_GATEWAY' },
    ],
    [
      'a head that is none',
      { status: 200, body: '{"Row":[{"key":"aGE=","Cell":[{"column":"ZDpi","timestamp":1,"$":"eA=="}]}]}' },
      { code: 'STORE_OBJECT_UNREADABLE' },
    ],
    [
      'a head without bytes',
      { status: 200, body: '{"Row":[{"key":"aGE=","Cell":[{"column":"ZDpn","timestamp":1,"$":"eA=="}]}]}' },
      { code: 'STORE_OBJECT_UNREADABLE' },
    ],
    ['a login that is refused', { status: 401, body: '' }, { code: 'HBASE_FORBIDDEN' }],
  ])('a gateway that answers with %s is reported', async (_what, answer, cause) => {
    await expect(open({ send: async () => answer }).get('a')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      cause,
    })
  })

  test('a gateway that lists the same page again and again is refused', async () => {
    const rows = Array.from({ length: 1000 }, (_, n) => ({
      key: Buffer.from(`hmany/${String(n).padStart(4, '0')}`).toString('base64'),
      Cell: [{ column: 'ZDpn', timestamp: 1, $: 'eA==' }],
    }))
    const store = open({ send: async () => ({ status: 200, body: JSON.stringify({ Row: rows }) }) })
    await expect(store.list('many/')).rejects.toMatchObject({ cause: { code: 'STORE_LIST_UNORDERED' } })
  })

  test('the gateway that does not answer is left for the next one', async () => {
    const hbase = table()
    const asked: string[] = []
    const httpClient: HttpClient = {
      send: async (request) => {
        asked.push(new URL(request.url).host)
        if (request.url.includes('one')) throw lost('no answer')
        return hbase.send(request)
      },
    }
    const location = {
      urls: ['http://one:8080', 'http://two:8080'],
      table: 'state',
      prefix: '',
      login: { username: 'me', passwordFile: '/p' },
      tls: undefined,
    }
    const store = openHbaseStore(location, {
      clock: jumpingPorts().clock,
      rng: realRng,
      httpClient,
      secretFiles: {
        read: async (file) => {
          if (file === '/p') return 'secret'
          throw Object.assign(new Error('none'), { code: 'ENOENT' })
        },
      },
    })
    await store.put('a', text('x'))
    expect(await store.list('')).toEqual(['a'])
    expect(asked.slice(0, 2)).toEqual(['one:8080', 'two:8080'])
    expect(asked.slice(1)).not.toContain('one:8080')
    expect(hbase.requests.at(-1)?.headers['authorization']).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`)
  })
})
