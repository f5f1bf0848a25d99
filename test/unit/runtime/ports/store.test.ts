import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { describeWithCauses } from '../../../../runtime/model/errors.ts'
import { openFileStore } from '../../../../runtime/ports/real/file-store.ts'
import { openAnyStore } from '../../../../runtime/builtin-stores.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('file store', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-store-'))
  })
  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  test('of many callers that create the same path exactly one gets created, and its bytes stay', async () => {
    const store = openFileStore(`file://${folder}`)
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store.createIfAbsent('a/claim', text(`caller ${n}`))),
    )
    expect(results.filter((result) => result === 'created')).toHaveLength(1)
    const winner = results.indexOf('created')
    expect(Buffer.from((await store.get('a/claim')) ?? []).toString()).toBe(`caller ${winner}`)
    expect(await readdir(join(folder, 'a'))).toEqual(['claim'])
  })

  test('what is put can be read, listed by any prefix and deleted twice', async () => {
    const store = openFileStore(folder)
    await store.put('jobs/x/1', text('one'))
    await store.put('jobs/x/2', text('two'))
    await store.put('jobs/y/1', text('other'))
    await store.put('jobs/x/1', text('one again'))
    expect(await store.list('jobs/x')).toEqual(['jobs/x/1', 'jobs/x/2'])
    expect(await store.list('jobs/')).toEqual(['jobs/x/1', 'jobs/x/2', 'jobs/y/1'])
    expect(await store.list('nothing/here')).toEqual([])
    expect(Buffer.from((await store.get('jobs/x/1')) ?? []).toString()).toBe('one again')
    await store.delete('jobs/x/1')
    await store.delete('jobs/x/1')
    expect(await store.get('jobs/x/1')).toBeUndefined()
  })

  test('a path that leaves the store and a scheme it does not know are refused', async () => {
    await expect(openFileStore(folder).put('../outside', text('no'))).rejects.toMatchObject({
      code: 'STORE_PATH_INVALID',
    })
    expect(() => openAnyStore('ftp://host/x')).toThrow(expect.objectContaining({ code: 'STORE_UNSUPPORTED' }))
  })

  test('a store that cannot be written says so with the path and the reason, and may be retried', async () => {
    await writeFile(join(folder, 'file'), 'in the way')
    const store = openFileStore(join(folder, 'file'))
    await expect(store.put('x', text('y'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retriable: true })
    const texts = await Promise.all(
      [store.put('x', text('y')), store.put('x', text('y'))].map((put) => put.catch(describeWithCauses)),
    )
    expect(texts[0]).toContain('ENOTDIR: not a directory')
    expect(texts[1]).toBe(texts[0])
  })
})
