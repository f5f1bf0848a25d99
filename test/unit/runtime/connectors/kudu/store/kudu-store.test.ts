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
    generations: async (prefix) =>
      [...rows.values()].filter(({ path, generation }) => generation !== '' && path.startsWith(prefix)),
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
})
