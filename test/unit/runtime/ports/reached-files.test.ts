import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mayPass } from '../../../../runtime/ports/file-errors.ts'
import type { Files } from '../../../../runtime/ports/files.ts'
import { filesWithin, secretFiles } from '../../../../runtime/ports/reached-files.ts'
import { realFiles } from '../../../../runtime/ports/real/files.ts'

const FORBIDDEN = expect.objectContaining({ code: 'FILE_FORBIDDEN', domain: 'user', retriable: false }) as Error

describe('files within reach', () => {
  let dir = ''
  let files: Files
  const at = (path: string): string => join(dir, path)

  beforeEach(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'reach-')))
    for (const folder of ['data/in', 'etc', 'secrets']) mkdirSync(at(folder), { recursive: true })
    writeFileSync(at('data/in/a.jsonl'), 'rows')
    writeFileSync(at('etc/passwd'), 'root')
    writeFileSync(at('secrets/password'), 'pw\n')
    symlinkSync(at('etc/passwd'), at('data/in/link.jsonl'))
    symlinkSync(at('etc'), at('data/out'))
    symlinkSync(at('etc/new'), at('data/in/nowhere'))
    symlinkSync('a.jsonl', at('data/in/same.jsonl'))
    files = filesWithin(realFiles, { files: [at('data')], secrets: [at('secrets')], addresses: [] })
  })

  afterEach(() => {
    rmSync(dir, { recursive: true })
  })

  test('when a path is in a folder of the job, read, write and list as before', async () => {
    expect(await files.glob(at('data/in/a*.jsonl'))).toEqual([at('data/in/a.jsonl')])
    expect(Buffer.from(await files.read(at('data/in/same.jsonl'), 0, 9)).toString()).toBe('rows')
    await files.append(at('data/new/deep/part'), Buffer.from('x'))
    await files.sync(at('data/new/deep/part'))
    await files.rename(at('data/new/deep/part'), at('data/new/deep/done'))
    expect(await files.exists(at('data/new/deep/part'))).toBe(false)
    expect(readFileSync(at('data/new/deep/done'), 'utf8')).toBe('x')
    await files.delete(at('data/new/deep/done'))
    expect(await files.exists(at('data/new/deep/done'))).toBe(false)
  })

  test.each([
    ['an absolute path', 'etc/passwd'],
    ['a path with ..', 'data/in/../../etc/passwd'],
    ['a link to a file', 'data/in/link.jsonl'],
    ['a link to a folder', 'data/out/passwd'],
    ['a Secret', 'secrets/password'],
  ])('when %s leads elsewhere, refuse every way to open it', async (_what, path) => {
    const calls: (() => Promise<unknown>)[] = [
      () => files.read(at(path), 0, 1),
      () => files.sizeBytes(at(path)),
      () => files.exists(at(path)),
      () => files.write(at(path), Buffer.from('x')),
      () => files.append(at(path), Buffer.from('x')),
      () => files.sync(at(path)),
      () => files.delete(at(path)),
      () => files.rename(at(path), at('data/stolen')),
      () => files.rename(at('data/in/a.jsonl'), at(path)),
      () => files.glob(at(path)),
    ]
    for (const call of calls) await expect(call()).rejects.toThrow(FORBIDDEN)
    expect(readFileSync(at('etc/passwd'), 'utf8')).toBe('root')
  })

  test('when a glob begins outside, leads outside, or matches a link that does, refuse it', async () => {
    for (const pattern of ['etc/*', '*/passwd', 'data/*/../../etc/*', 'data/in/l*.jsonl', 'data/out/*'])
      await expect(files.glob(at(pattern))).rejects.toThrow(FORBIDDEN)
  })

  test('when a link leads to what is not there, refuse to make it', async () => {
    await expect(files.append(at('data/in/nowhere'), Buffer.from('x'))).rejects.toMatchObject({ code: 'ELOOP' })
    expect(await realFiles.exists(at('etc/new'))).toBe(false)
  })

  test('when a path is refused, the error shows the path, where it leads, and the folders, and does not pass', async () => {
    const error: unknown = await files.read(at('data/in/link.jsonl'), 0, 1).catch((one: unknown) => one)
    expect(error).toMatchObject({
      message: expect.stringMatching(/link\.jsonl.*etc\/passwd.*data$/) as string,
      hint: expect.stringContaining('jobs.fileRoots') as string,
    })
    expect(mayPass(error)).toBe(false)
  })
})

describe('files of Secrets', () => {
  test('when a job is bounded, are read below mounted Secrets only; on a laptop anywhere', async () => {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), 'secrets-')))
    mkdirSync(join(dir, 's/..data'), { recursive: true })
    mkdirSync(join(dir, 'data'))
    writeFileSync(join(dir, 's/..data/password'), 'pw')
    writeFileSync(join(dir, 'data/password'), 'other')
    // as the kubelet mounts a Secret
    symlinkSync('..data/password', join(dir, 's/password'))
    symlinkSync('/proc/self/environ', join(dir, 's/environ'))
    const bounded = secretFiles(realFiles, { files: [join(dir, 'data')], secrets: [join(dir, 's')], addresses: [] })
    expect(await bounded.read(join(dir, 's/password'))).toBe('pw')
    for (const path of ['data/password', 's/environ', 's/../data/password'])
      await expect(bounded.read(join(dir, path))).rejects.toThrow(FORBIDDEN)
    await expect(bounded.read('/proc/self/environ')).rejects.toThrow(FORBIDDEN)
    expect(await secretFiles(realFiles, undefined).read(join(dir, 'data/password'))).toBe('other')
    rmSync(dir, { recursive: true })
  })
})
