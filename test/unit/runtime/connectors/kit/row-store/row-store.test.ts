import { describe, expect, test } from 'vitest'
import type { HeadRow, ObjectRows } from '../../../../../../runtime/connectors/kit/row-store/object-rows.ts'
import { RowStore } from '../../../../../../runtime/connectors/kit/row-store/row-store.ts'
import { RowsInMemory } from './rows-in-memory.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Carries inserts out and no longer knows it when it is asked again. */
class ForgetfulRows extends RowsInMemory {
  override async insertHead(path: string, head: HeadRow): Promise<boolean> {
    await super.insertHead(path, head)
    return false
  }
}

function storeOn(rows: ObjectRows): RowStore {
  let ids = 0
  return new RowStore(rows, 'jobs/', { next: () => 0.5, id: () => `id${++ids}` })
}

describe('files in a table of rows', () => {
  test('whose insert was carried out, and its server no longer knows it, are told to be created', async () => {
    const store = storeOn(new ForgetfulRows())
    expect(await store.createIfAbsent('a', bytes('short'))).toBe('created')
    expect(await store.createIfAbsent('b', new Uint8Array(100_000))).toBe('created')
    expect(await store.get('b')).toHaveLength(100_000)
    expect(await store.createIfAbsent('a', bytes('other'))).toBe('exists')
  })

  test('that exist already leave nothing of a second creation', async () => {
    const rows = new RowsInMemory()
    const store = storeOn(rows)
    await store.createIfAbsent('a', new Uint8Array(100_000))
    expect(await store.createIfAbsent('a', new Uint8Array(100_001))).toBe('exists')
    expect(await store.unfinished('')).toEqual([])
    expect(await store.get('a')).toHaveLength(100_000)
  })

  test('of which a part is missing are not given shorter', async () => {
    const rows = new RowsInMemory()
    const store = storeOn(rows)
    await store.put('a', new Uint8Array(100_000))
    for (const { parts } of rows.written.values()) parts.delete(1)
    await expect(store.get('a')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      cause: { code: 'STORE_OBJECT_TORN' },
    })
  })

  test('that are replaced while they are read are given as they are then', async () => {
    const rows = new RowsInMemory()
    const store = storeOn(rows)
    await store.put('a', new Uint8Array(100_000))
    const slow = rows.during(async () => undefined)
    let isFirst = true
    slow.parts = async (of) => {
      if (isFirst) {
        isFirst = false
        await store.delete('a')
        await store.put('a', bytes('new'))
      }
      return rows.parts(of)
    }
    expect(Buffer.from((await storeOn(slow).get('a')) ?? []).toString()).toBe('new')
    expect([rows.headRows.size, rows.written.size]).toEqual([1, 0])
  })

  test('that somebody is about to delete are read as long as they are there', async () => {
    const rows = new RowsInMemory()
    const store = storeOn(rows)
    await store.put('a', new Uint8Array(100_000))
    await rows.condemn({ path: 'jobs/a', name: 'id1' })
    expect(await store.get('a')).toHaveLength(100_000)
  })

  test('that are complete when somebody deletes what was seen of them before stay whole', async () => {
    const rows = new RowsInMemory()
    const sweeper = storeOn(rows)
    const writer = rows.during(async () => undefined)
    let seen: string[] = []
    writer.putHead = async (path, head) => {
      // its parts are there, and its head is not
      seen = await sweeper.unfinished('')
      await rows.putHead(path, head)
    }
    await storeOn(writer).put('a', new Uint8Array(100_000))
    expect(seen).toEqual(['a#generation=id1'])
    for (const path of seen) await sweeper.delete(path)
    expect(await sweeper.get('a')).toHaveLength(100_000)
    expect(await sweeper.unfinished('')).toEqual([])
  })

  test.each(['put', 'createIfAbsent'] as const)(
    'that somebody deletes at any step of %s are whole, or that fails and leaves nothing',
    async (act) => {
      const outcomes = new Set<string>()
      // the sweeper takes so many steps before each call of the writer
      for (let pattern = 0; pattern < 1 << 12; pattern++) {
        const rows = new RowsInMemory()
        const steps: (() => void)[] = []
        const sweeper = storeOn(rows.during(() => new Promise((resolve) => steps.push(resolve))))
        let sweeping: Promise<unknown> | undefined
        let calls = 0
        const writer = rows.during(async () => {
          const many = pattern >> (calls++ * 3)
          for (let n = 0; n < (many & 7); n++) {
            // the first generation that this store makes
            sweeping ??= sweeper.delete('a#generation=id1')
            await settled()
            steps.shift()?.()
            await settled()
          }
        })
        const outcome = await storeOn(writer)
          [act]('a', new Uint8Array(100_000))
          .then(
            () => 'kept',
            () => 'failed',
          )
        for (let n = 0; n < 10; n++) {
          await settled()
          steps.shift()?.()
        }
        await sweeping
        const found = await storeOn(rows).get('a')
        expect([pattern, outcome, found?.length]).toEqual([pattern, outcome, outcome === 'kept' ? 100_000 : undefined])
        expect([...rows.written.values()].filter(({ isCondemned }) => isCondemned)).toEqual([])
        outcomes.add(outcome)
      }
      expect([...outcomes].sort()).toEqual(['failed', 'kept'])
    },
  )
})

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
