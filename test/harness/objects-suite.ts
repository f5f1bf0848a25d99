import { describe, expect, test } from 'vitest'
import type { Objects, StoredObject } from '../../runtime/ports/objects.ts'
import { storeOn } from '../../runtime/ports/objects-store.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const RACERS = 40
const LONG_MS = 240_000

export interface SuiteLimits {
  /** How many objects the listing test makes. */
  readonly listed: number
  /** How large the object of several parts is. */
  readonly largeBytes: number
  /** Makes the listed objects faster than one after the other; `put` unless given. */
  readonly make?: (paths: readonly string[]) => Promise<void>
}

/** The promises of every object storage (runtime/ports/objects.ts). `open` gives the same root each time of a test. */
export function objectsSuite(name: string, open: () => Objects, limits: SuiteLimits): void {
  describe(name, () => {
    test(`of ${RACERS} callers that create the same path exactly one gets created, and its bytes stay`, async () => {
      const results = await Promise.all(
        Array.from({ length: RACERS }, (_, n) => open().createIfAbsent('race/claim', bytes(`caller ${n}`))),
      )
      expect(results.filter((result) => result === 'created')).toHaveLength(1)
      expect(await textOf(open(), 'race/claim')).toBe(`caller ${results.indexOf('created')}`)
      expect(await open().createIfAbsent('race/claim', bytes('later'))).toBe('exists')
    })

    test('an object that is put is read, replaced, measured and deleted twice', async () => {
      const objects = open()
      await objects.put('put/a b+ü&=%', bytes('one'))
      expect(await textOf(open(), 'put/a b+ü&=%')).toBe('one')
      await objects.put('put/a b+ü&=%', bytes('another'))
      expect(await textOf(open(), 'put/a b+ü&=%')).toBe('another')
      expect(await objects.head('put/a b+ü&=%')).toMatchObject({ path: 'put/a b+ü&=%', sizeBytes: 7 })
      expect((await collected(objects.list('put/')))[0]?.path).toBe('put/a b+ü&=%')
      await objects.delete('put/a b+ü&=%')
      await objects.delete('put/a b+ü&=%')
      expect(await objects.head('put/a b+ü&=%')).toBeUndefined()
      await expect(objects.read('put/a b+ü&=%', 0, 1)).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
    })

    test('a range is read exactly, and shorter only at the end', async () => {
      const objects = open()
      await objects.put('range', bytes('0123456789'))
      const read = async (offset: number, length: number): Promise<string> =>
        Buffer.from(await objects.read('range', offset, length)).toString()
      expect(await read(2, 3)).toBe('234')
      expect(await read(8, 100)).toBe('89')
      expect(await read(10, 5)).toBe('')
      expect(await read(0, 0)).toBe('')
      await objects.put('empty', bytes(''))
      expect(await objects.read('empty', 0, 10)).toHaveLength(0)
    })

    test('a version of an object is read until the object is replaced, and head and list agree on it', async () => {
      const objects = open()
      await objects.put('version/a', bytes('first'))
      const [listed] = await collected(objects.list('version/'))
      const found = await objects.head('version/a')
      expect(found?.version).toBe(listed?.version)
      const version = found?.version ?? ''
      expect(Buffer.from(await objects.read('version/a', 1, 3, version)).toString()).toBe('irs')
      await objects.put('version/a', bytes('other'))
      expect((await objects.head('version/a'))?.version).not.toBe(version)
      await expect(objects.read('version/a', 1, 3, version)).rejects.toMatchObject({ code: 'OBJECT_CHANGED' })
    })

    test('an upload is invisible until it is completed, and may be completed by any process, again and again', async () => {
      const upload = await open().begin('up/part')
      await upload.write(bytes('hello '))
      await upload.write(bytes('world'))
      const prepared = JSON.parse(JSON.stringify(await upload.prepare()))
      expect(prepared).toMatchObject({ path: 'up/part', sizeBytes: 11 })
      expect(await open().head('up/part')).toBeUndefined()
      expect(await collected(open().list('up/'))).toEqual([])
      await open().complete(prepared)
      await open().complete(prepared)
      expect(await textOf(open(), 'up/part')).toBe('hello world')
      expect(await collected(open().unfinished('up/'))).toEqual([])
    })

    test('an upload of several parts and one without bytes are read as they were written', {
      timeout: LONG_MS,
    }, async () => {
      const large = Buffer.alloc(limits.largeBytes, 'abcdefghijk')
      const upload = await open().begin('large')
      for (let at = 0; at < large.length; at += 3_000_000) await upload.write(large.subarray(at, at + 3_000_000))
      await open().complete(await upload.prepare())
      expect(Buffer.compare(await open().read('large', 0, large.length + 1), large)).toBe(0)
      await open().complete(await (await open().begin('none')).prepare())
      expect(await open().head('none')).toMatchObject({ sizeBytes: 0 })
    })

    test('uploads that nobody completes are found, are discarded twice, and are lost then', async () => {
      const cut = await open().begin('cut/one')
      await cut.write(bytes('x'))
      const prepared = await cut.prepare()
      const other = await open().begin('cut/two')
      await other.write(bytes('y'))
      await other.discard()
      const found = await collected(open().unfinished('cut/'))
      expect(found.map(({ path }) => path)).toEqual(['cut/one'])
      for (const upload of found) await open().discard(upload)
      await open().discard(prepared)
      expect(await collected(open().unfinished('cut/'))).toEqual([])
      await expect(open().complete(prepared)).rejects.toMatchObject({ code: 'OBJECT_LOST' })
    })

    test('a checkpoint store on it reads, creates once, lists sorted, and removes uploads that were cut', async () => {
      const store = storeOn(open())
      await store.put('store/2', bytes('two'))
      expect(await store.createIfAbsent('store/1', bytes('one'))).toBe('created')
      expect(await store.createIfAbsent('store/1', bytes('again'))).toBe('exists')
      expect(Buffer.from((await store.get('store/1')) ?? []).toString()).toBe('one')
      expect(await store.get('store/3')).toBeUndefined()
      const cut = await open().begin('store/cut')
      await cut.write(bytes('x'))
      await cut.prepare()
      const [unfinished = '', ...others] = await store.unfinished('store/')
      expect(others).toEqual([])
      await store.delete(unfinished)
      expect(await store.unfinished('store/')).toEqual([])
      expect(await store.list('store/')).toEqual(['store/1', 'store/2'])
    })

    test('a path or a token that leads elsewhere is refused', async () => {
      await open().put('victim', bytes('keep'))
      for (const path of ['../outside', '/absolute', 'a/../../b', 'a/./b'])
        await expect((async () => open().put(path, bytes('no')))()).rejects.toMatchObject({
          code: 'OBJECT_PATH_INVALID',
        })
      for (const token of ['victim', '../victim', '', '{"id":7}', 'null'])
        await expect((async () => open().complete({ path: 'target', sizeBytes: 4, token }))()).rejects.toMatchObject({
          code: 'OBJECT_UPLOAD_INVALID',
        })
      expect(await textOf(open(), 'victim')).toBe('keep')
    })

    test(`${limits.listed} objects are listed in the order of their bytes, from any name on`, {
      timeout: LONG_MS,
    }, async () => {
      const objects = open()
      const names = Array.from(
        { length: limits.listed },
        (_, n) => `many/${n % 7}/${String(n * 7919).padStart(9, '0')}`,
      )
      await (limits.make ?? ((paths) => putAll(objects, paths)))(names)
      await objects.put('manyother', bytes('x'))
      const sorted = names.toSorted()
      expect((await collected(objects.list('many/'))).map(({ path }) => path)).toEqual(sorted)
      const middle = sorted[sorted.length >> 1]
      expect((await collected(objects.list('many/', middle))).map(({ path }) => path)).toEqual(
        sorted.slice((sorted.length >> 1) + 1),
      )
      expect((await collected(objects.list('many/3/0'))).map(({ path }) => path)).toEqual(
        sorted.filter((name) => name.startsWith('many/3/0')),
      )
    })
  })
}

async function putAll(objects: Objects, paths: readonly string[]): Promise<void> {
  for (let at = 0; at < paths.length; at += 50)
    await Promise.all(paths.slice(at, at + 50).map((path) => objects.put(path, bytes('x'))))
}

async function textOf(objects: Objects, path: string): Promise<string> {
  return Buffer.from(await objects.read(path, 0, 1_000_000)).toString()
}

async function collected<T extends StoredObject | object>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
