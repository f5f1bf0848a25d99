import { describe, expect, test } from 'vitest'
import { KuduStore } from '../../../../../../runtime/connectors/kudu/store/kudu-store.ts'
import type { PartRow, RowKey, StoreRows } from '../../../../../../runtime/connectors/kudu/store/store-rows.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A table in memory. An insert that `forgets` was carried out by a server that no longer knows it, and asks again. */
function table(forgets: boolean): Pick<StoreRows, keyof StoreRows> & { readonly rows: Map<string, PartRow> } {
  const rows = new Map<string, PartRow>()
  const keyOf = ({ path, generation, part }: RowKey): string => JSON.stringify([path, generation, part])
  const of = (path: string): PartRow[] => [...rows.values()].filter((row) => row.path === path)
  return {
    rows,
    insert: async (row) => {
      const isThere = rows.has(keyOf(row))
      if (!isThere) rows.set(keyOf(row), row)
      return !isThere && !forgets
    },
    upsert: async (written) => {
      for (const row of written) rows.set(keyOf(row), row)
    },
    delete: async (gone) => {
      for (const row of gone) rows.delete(keyOf(row))
    },
    head: async (path) => rows.get(keyOf({ path, generation: '', part: 0 }))?.bytes,
    parts: async (path, generation) => of(path).filter((row) => row.generation === generation),
    keysOf: async (path) => of(path),
    heads: async (prefix) =>
      [...rows.values()].flatMap(({ path, generation }) =>
        generation === '' && path.startsWith(prefix) ? [path] : [],
      ),
    generations: async (prefix) => {
      const found = [...rows.values()].filter((row) => row.generation !== '' && row.path.startsWith(prefix))
      return [...new Map(found.map((row) => [row.generation + row.path, row])).values()]
    },
  }
}

function storeOn(rows: Pick<StoreRows, keyof StoreRows>): KuduStore {
  let ids = 0
  return new KuduStore(rows, 'jobs/', { next: () => 0.5, id: () => `id${++ids}` })
}

describe('files in a table of Kudu', () => {
  test('whose insert was carried out, and its server no longer knows it, are told to be created', async () => {
    const store = storeOn(table(true))
    expect(await store.createIfAbsent('a', bytes('short'))).toBe('created')
    expect(await store.createIfAbsent('b', new Uint8Array(100_000))).toBe('created')
    expect(await store.get('b')).toHaveLength(100_000)
    expect(await store.createIfAbsent('a', bytes('other'))).toBe('exists')
  })

  test('of which a part is missing are not given shorter', async () => {
    const { rows, ...rest } = table(false)
    const store = storeOn(rest)
    await store.put('a', new Uint8Array(100_000))
    for (const [key, { part }] of rows) if (part === 1) rows.delete(key)
    await expect(store.get('a')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      cause: { code: 'STORE_OBJECT_TORN' },
    })
  })

  test('that are replaced while they are read are given as they are then', async () => {
    const { rows, ...rest } = table(false)
    const store = storeOn(rest)
    await store.put('a', new Uint8Array(100_000))
    let isFirst = true
    const slow = storeOn({
      ...rest,
      parts: async (path, generation) => {
        if (isFirst) {
          isFirst = false
          await store.delete('a')
          await store.put('a', bytes('new'))
        }
        return rest.parts(path, generation)
      },
    })
    expect(Buffer.from((await slow.get('a')) ?? []).toString()).toBe('new')
    expect(rows.size).toBe(1)
  })

  test('that somebody is about to delete are read as long as they are there', async () => {
    const { rows: _, ...rest } = table(false)
    const store = storeOn(rest)
    await store.put('a', new Uint8Array(100_000))
    await rest.insert({ path: 'jobs/a', generation: 'id1', part: -1, bytes: new Uint8Array() })
    expect(await store.get('a')).toHaveLength(100_000)
  })

  test('that are complete when somebody deletes what was seen of them before stay whole', async () => {
    const { rows: _, ...rest } = table(false)
    const sweeper = storeOn(rest)
    const writer = storeOn({
      ...rest,
      upsert: async (written) => {
        // its parts are there, and its head is not
        if (written[0]?.generation === '') seen = await sweeper.unfinished('')
        await rest.upsert(written)
      },
    })
    let seen: string[] = []
    await writer.put('a', new Uint8Array(100_000))
    expect(seen).toHaveLength(1)
    for (const path of seen) await sweeper.delete(path)
    expect(await sweeper.get('a')).toHaveLength(100_000)
    expect(await sweeper.unfinished('')).toEqual([])
  })

  test.each(['put', 'createIfAbsent'] as const)(
    'that somebody deletes at any step of %s are whole, or that fails and leaves nothing',
    async (act) => {
      // the sweeper takes one step before each call of the writer in which it is its turn
      for (let pattern = 0; pattern < 1 << 9; pattern++) {
        const { rows, ...rest } = table(false)
        const steps: (() => void)[] = []
        const turn = (): Promise<void> => new Promise((resolve) => steps.push(resolve))
        const slow: typeof rest = {
          ...rest,
          insert: async (row) => (await turn(), rest.insert(row)),
          delete: async (gone) => (await turn(), rest.delete(gone)),
          head: async (path) => (await turn(), rest.head(path)),
          keysOf: async (path) => (await turn(), rest.keysOf(path)),
        }
        let sweeping: Promise<unknown> | undefined
        let calls = 0
        const step = async (): Promise<void> => {
          const many = pattern >> (calls++ * 3)
          for (let n = 0; n < (many & 7); n++) {
            // the first generation that this store makes
            sweeping ??= storeOn(slow).delete('a#generation=id1')
            await settled()
            steps.shift()?.()
            await settled()
          }
        }
        const writer = storeOn({
          ...rest,
          insert: async (row) => (await step(), rest.insert(row)),
          upsert: async (written) => (await step(), rest.upsert(written)),
          keysOf: async (path) => (await step(), rest.keysOf(path)),
        })
        const outcome = await writer[act]('a', new Uint8Array(100_000)).then(
          () => 'kept',
          () => 'failed',
        )
        for (let n = 0; n < 10; n++) {
          await settled()
          steps.shift()?.()
        }
        await sweeping
        const found = await storeOn(rest).get('a')
        expect([pattern, outcome, found?.length]).toEqual(
          outcome === 'kept' ? [pattern, 'kept', 100_000] : [pattern, 'failed', undefined],
        )
        expect(rows.size, `pattern ${pattern}`).toBeLessThanOrEqual(outcome === 'kept' ? 3 : 2)
      }
    },
  )
})

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
