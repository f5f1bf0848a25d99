import { expect, test } from 'vitest'
import { MillraceError } from '../../runtime/model/errors.ts'
import type { Store } from '../../runtime/ports/store.ts'

const RACERS = 40
const LONG_MS = 240_000
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Makes each call of the servers: not at all, once, or without its answer. */
export type Through = <T>(act: () => Promise<T>) => Promise<T>

/** A kind of store on tables (runtime/connectors/kit/row-store), virtual or real. */
export interface RowStoreBed {
  /** A store in this folder, which is empty or ends with `/`; of the same servers each time. */
  open(folder: string, through?: Through): Store
  /** What the store's client throws while servers cannot be reached. */
  lost(why: string): Error
  /** Where files begin to be kept in rows of their own, and how long these are. */
  readonly inlineBytes: number
  readonly partBytes: number
  /** How many files the listing test makes. */
  readonly listed: number
}

/** The promises of a store on tables of a database. */
export function rowStoreSuite(bed: RowStoreBed): void {
  const { open, inlineBytes, partBytes } = bed
  const large = (of: string): Buffer => Buffer.alloc(8 * partBytes + 3, of)

  test(
    `of ${RACERS} callers that create the same path exactly one gets created, and its bytes stay`,
    async () => {
      for (const [path, bytesOf] of [
        ['short', (n: number) => text(`caller ${n}`)],
        ['long', (n: number) => Buffer.alloc(2 * partBytes + 1, `caller ${n} `)],
      ] as const) {
        const results = await Promise.all(
          Array.from({ length: RACERS }, (_, n) => open('race/').createIfAbsent(path, bytesOf(n))),
        )
        expect(results.filter((result) => result === 'created')).toHaveLength(1)
        const winner = bytesOf(results.indexOf('created'))
        expect(Buffer.compare((await open('race/').get(path)) ?? text(''), winner)).toBe(0)
        expect(await open('race/').createIfAbsent(path, text('later'))).toBe('exists')
      }
      expect(await open('race/').unfinished('')).toEqual([])
    },
    LONG_MS,
  )

  test(
    'files of any size are read as they were put, replaced, listed by their beginning and deleted twice',
    async () => {
      const store = open('put/')
      for (const size of [0, 1, inlineBytes, inlineBytes + 1, partBytes, partBytes + 1, 8 * partBytes + 3]) {
        const bytes = Buffer.alloc(size, `${size} `)
        await store.put(`jobs/x/${size}`, bytes)
        expect(Buffer.compare((await open('put/').get(`jobs/x/${size}`)) ?? text('none'), bytes)).toBe(0)
      }
      await store.put(`jobs/x/${partBytes}`, text('short now'))
      expect(Buffer.from((await store.get(`jobs/x/${partBytes}`)) ?? []).toString()).toBe('short now')
      await store.put('jobs/xü/1', text('umlaut'))
      await store.put('jobs/xü%_*#?/ "2', text('odd'))
      await store.put('jobs/y', text('other'))
      expect(await store.list('jobs/xü')).toEqual(['jobs/xü%_*#?/ "2', 'jobs/xü/1'])
      expect(Buffer.from((await store.get('jobs/xü%_*#?/ "2')) ?? []).toString()).toBe('odd')
      expect(await store.list(`jobs/x/${partBytes}`.slice(0, -1))).toEqual(
        [`jobs/x/${partBytes}`, `jobs/x/${partBytes + 1}`].sort(),
      )
      expect(await store.list('')).toHaveLength(10)
      expect(await store.list('nothing')).toEqual([])
      await store.delete(`jobs/x/${8 * partBytes + 3}`)
      await store.delete(`jobs/x/${8 * partBytes + 3}`)
      expect(await store.get(`jobs/x/${8 * partBytes + 3}`)).toBeUndefined()
      expect(await store.createIfAbsent(`jobs/x/${8 * partBytes + 3}`, text('again'))).toBe('created')
      const [left = '', ...others] = await store.unfinished('')
      expect(left.slice(0, left.lastIndexOf('='))).toBe(`jobs/x/${partBytes}#generation`)
      expect(others).toEqual([])
      await store.delete(left)
      expect(await store.unfinished('')).toEqual([])
      expect(await open('').list('put/jobs/y')).toEqual(['put/jobs/y'])
    },
    LONG_MS,
  )

  test(
    `a path that leaves the folder is refused, and ${bed.listed} files are listed`,
    async () => {
      const store = open('many/')
      await expect(store.put('../outside', text('no'))).rejects.toMatchObject({ code: 'STORE_PATH_INVALID' })
      const paths = Array.from({ length: bed.listed }, (_, n) => `deep/${String(n).padStart(5, '0')}`)
      for (let from = 0; from < paths.length; from += 200)
        await Promise.all(paths.slice(from, from + 200).map((path) => store.put(path, text(path))))
      await store.put('deeper', text('beside'))
      expect(await store.list('deep/')).toEqual(paths)
      for (let from = 0; from < paths.length; from += 200)
        await Promise.all(paths.slice(from, from + 200).map((path) => (path.endsWith('7') ? store.delete(path) : null)))
      expect(await open('many/').list('deep/')).toEqual(paths.filter((path) => !path.endsWith('7')))
    },
    LONG_MS,
  )

  test.each(['before', 'after'] as const)(
    'a writer that is killed %s any of its calls leaves a file whole, as it was, or absent',
    async (dies) => {
      for (let calls = 0, isOver = false; !isOver; calls++) {
        const folder = `killed-${dies}-${calls}/`
        const calm = open(folder)
        await calm.put('replaced', large('a'))
        isOver = true
        for (const act of ['put', 'createIfAbsent', 'delete'] as const) {
          const { through, isDead } = mortal(calls, dies)
          const store = open(folder, through)
          const path = act === 'createIfAbsent' ? 'created' : 'replaced'
          const acting = act === 'delete' ? store.delete(path) : store[act](path, large('b'))
          const result = await acting.catch((error: unknown) => {
            if (error instanceof MillraceError && error.code === 'STORE_UNAVAILABLE') return 'killed'
            throw error
          })
          if (isDead()) isOver = false
          const found = await calm.get(path)
          const first = found === undefined ? 'absent' : String.fromCharCode(found[0] ?? 0)
          if (found !== undefined) expect(Buffer.compare(found, large(first))).toBe(0)
          if (result !== 'killed') expect(first).toBe(act === 'delete' ? 'absent' : 'b')
          if (act === 'createIfAbsent' && first === 'absent')
            expect(await calm.createIfAbsent(path, large('c'))).toBe('created')
        }
        for (const path of await calm.unfinished('')) await calm.delete(path)
        for (const path of await calm.list('')) await calm.delete(path)
        expect([await calm.list(''), await calm.unfinished('')]).toEqual([[], []])
      }
    },
    LONG_MS,
  )

  /** Every fourth call is not sent, or its answer is lost. */
  function flaky(seed: number): Through {
    let calls = seed
    return async (act) => {
      const turn = calls++ % 8
      if (turn === 3) throw bed.lost('it was not sent')
      const result = await act()
      if (turn === 6) throw bed.lost('the answer is lost')
      return result
    }
  }

  test(
    'when calls and answers are lost, one of many callers creates a file, and knows it',
    async () => {
      for (let round = 0; round < 8; round++) {
        const results = await Promise.all(
          Array.from({ length: 8 }, (_, n) => open('lossy/', flaky(n)).createIfAbsent(`claim-${round}`, text(`${n}`))),
        )
        expect(results.filter((result) => result === 'created')).toHaveLength(1)
        const kept = Buffer.from((await open('lossy/').get(`claim-${round}`)) ?? []).toString()
        expect(kept).toBe(String(results.indexOf('created')))
      }
    },
    LONG_MS,
  )

  test(
    'when calls and answers are lost, files are put, replaced, read, listed and deleted',
    async () => {
      for (let seed = 0; seed < 8; seed++) {
        const store = open('flaky/', flaky(seed))
        await store.put('a', large('a'))
        await store.put('a', large(String(seed)))
        await store.put('b', text('short'))
        await store.put('b', text(`short ${seed}`))
        expect(Buffer.compare((await store.get('a')) ?? text(''), large(String(seed)))).toBe(0)
        expect(Buffer.from((await store.get('b')) ?? []).toString()).toBe(`short ${seed}`)
        expect(await store.list('')).toEqual(['a', 'b'])
        await store.delete('a')
        expect(await store.get('a')).toBeUndefined()
        for (const path of await store.unfinished('')) await store.delete(path)
        expect([await store.list(''), await store.unfinished('')]).toEqual([['b'], []])
      }
    },
    LONG_MS,
  )
}

/**
 * Has several callers create and replace files under faults, and expects one creator of each, whose bytes are whole.
 * `arrive` brings what was given up and is still on its way.
 */
export async function expectOneCreator(
  open: (folder: string) => Store,
  { folder, large, arrive }: { folder: string; large: number; arrive: () => void },
): Promise<void> {
  for (const size of [10, large]) {
    const path = `of-${size}`
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        open(folder)
          .createIfAbsent(path, Buffer.alloc(size, String(n)))
          .catch((error: unknown) => {
            if (error instanceof MillraceError && error.code === 'STORE_UNAVAILABLE') return 'unknown'
            throw error
          }),
      ),
    )
    arrive()
    const creators = results.flatMap((result, n) => (result === 'created' ? [n] : []))
    expect(creators.length).toBeLessThanOrEqual(1)
    const found = await settled(() => open(folder).get(path))
    const by = found === undefined ? undefined : Number(String.fromCharCode(found[0] ?? 0))
    if (found !== undefined) expect(Buffer.compare(found, Buffer.alloc(size, String(by)))).toBe(0)
    if (creators.length === 1) expect(by).toBe(creators[0])
    if (by !== undefined) expect(results[by]).not.toBe('exists')
    for (const left of await settled(() => open(folder).unfinished(''))) await settled(() => open(folder).delete(left))
    arrive()
    expect(
      Buffer.compare((await settled(() => open(folder).get(path))) ?? Buffer.alloc(0), found ?? Buffer.alloc(0)),
    ).toBe(0)
  }
}

/** The result once the store serves. */
async function settled<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'STORE_UNAVAILABLE') throw error
    }
  }
}

/** Ends after so many calls as a process does that is killed: before a call, or before its answer comes. */
function mortal(calls: number, dies: 'before' | 'after'): { through: Through; isDead: () => boolean } {
  const dead = new MillraceError('DEAD', 'the process was killed', { domain: 'bug' })
  let left = calls
  return {
    isDead: () => left < 0,
    through: async (act) => {
      if (left < 0) throw dead
      left--
      if (left < 0 && dies === 'before') throw dead
      const result = await act()
      // another call may have been its last one meanwhile
      if (left < 0) throw dead
      return result
    },
  }
}
