import { beforeAll, describe, expect, test } from 'vitest'
import { isMarkedCommitted, markCommitted } from '../../../../runtime/checkpoint/commit-marker.ts'
import { JobLog } from '../../../../runtime/checkpoint/job-log.ts'
import { encodeManifest, readManifest } from '../../../../runtime/checkpoint/manifest.ts'
import { seal, unseal } from '../../../../runtime/checkpoint/sealed-file.ts'
import { checkedStateFile, writeStateFiles } from '../../../../runtime/checkpoint/state-file.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import type { CheckpointReport } from '../../../../runtime/model/job.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'

const JOB = 'job-uid'
const report: CheckpointReport = {
  attempt: 1,
  id: 7,
  kind: 'savepoint',
  savepoint: 'mine',
  path: 'checkpoints/1-7/manifest.json',
  completedAt: 1,
  durationMs: 1,
  sizeBytes: 12,
}

/** A log of a claim and a savepoint, its manifest and its state. */
async function savepoint(store: MemoryStore, inlineBytes: number): Promise<void> {
  const log = await JobLog.open(store, JOB)
  await log.claim({ revision: 'r', spec: { graph: [] }, desiredState: 'running' })
  const files = await writeStateFiles(
    { store, pathOf: () => 'checkpoints/1-7/count.count-0.state', turn: () => Promise.resolve(), inlineBytes },
    [
      [0, Buffer.from('first')],
      [3, Buffer.from('another')],
    ],
    12,
  )
  await store.put(
    report.path,
    encodeManifest(
      {
        job: 'job',
        attempt: 1,
        id: 7,
        kind: 'savepoint',
        completedAt: 1,
        durationMs: 1,
        sizeBytes: 12,
        maxParallelism: 8,
        revision: 'r',
        spec: { graph: [] },
        subtasks: {
          'count-0': {
            splits: { in: [{ id: 'a', position: 251720, finished: false }] },
            state: { count: files },
            committables: {},
          },
        },
      },
      { path: report.path, job: JOB },
    ),
  )
  await log.append(1, { kind: 'checkpoint', checkpoint: report, savepoint: 'mine', final: false })
  await markCommitted(store, report, JOB)
}

/** Everything that a restore reads, in its order. */
async function restore(store: MemoryStore): Promise<string> {
  const log = await JobLog.open(store, JOB)
  const view = log.view()
  if (view.newest === undefined) throw new MillraceError('RESTORE_MISSING', 'the log names no checkpoint')
  const manifest = await readManifest(store, view.newest, JOB, log.sealOf(view.newest))
  const files = Object.values(manifest.subtasks).flatMap(({ state }) => Object.values(state).flat())
  const states = await Promise.all(files.map((file) => checkedStateFile(store, file)))
  const isCommitted = await isMarkedCommitted(store, view.newest, JOB, log.sealOf(view.newest))
  return JSON.stringify([view, manifest, isCommitted, states.map((bytes) => Buffer.from(bytes).toString('hex'))])
}

describe.each([
  ['a file', 0],
  ['the manifest', 100],
])('a savepoint in a store that errs, whose state lies in %s', (_, inlineBytes) => {
  const store = new MemoryStore()
  let files: [string, Uint8Array][] = []
  let whole = ''
  beforeAll(async () => {
    await savepoint(store, inlineBytes)
    files = [...store.objects]
    whole = await restore(store)
  })

  /** Restores with one file replaced; resolves with the code of the refusal, or what was restored. */
  async function withFile(path: string, bytes: Uint8Array): Promise<string> {
    const changed = new MemoryStore()
    for (const [name, content] of files) changed.objects.set(name, name === path ? bytes : content)
    return restore(changed).catch((error: unknown) => {
      if (error instanceof MillraceError) return error.code
      throw error
    })
  }

  test('is whole when nothing is changed', async () => {
    expect(files.map(([path]) => path).sort()).toEqual([
      'checkpoints/1-7/committed',
      ...(inlineBytes === 0 ? ['checkpoints/1-7/count.count-0.state'] : []),
      'checkpoints/1-7/manifest.json',
      'log/000000000001',
      'log/000000000002',
    ])
    expect(await withFile('', new Uint8Array())).toBe(whole)
  })

  test('is of a version that programs without inline state refuse only where it has some', () => {
    const [, manifest] = files.find(([path]) => path === report.path) ?? []
    const { version } = JSON.parse(unseal({ path: report.path }, manifest ?? new Uint8Array())) as { version: number }
    expect(version).toBe(inlineBytes === 0 ? 2 : 3)
  })

  test('is refused with any single bit of any file flipped', async () => {
    const accepted: string[] = []
    for (const [path, bytes] of files)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Uint8Array.from(bytes)
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const result = await withFile(path, flipped)
        if (!/^[A-Z_]+$/.test(result)) accepted.push(`${path} bit ${bit}`)
      }
    expect(accepted).toEqual([])
  })

  test('is refused with any file cut at any length', async () => {
    const accepted: string[] = []
    for (const [path, bytes] of files)
      for (let length = 0; length < bytes.length; length++) {
        const result = await withFile(path, bytes.subarray(0, length))
        if (!/^[A-Z_]+$/.test(result)) accepted.push(`${path} cut at ${length}`)
      }
    expect(accepted).toEqual([])
  })

  test('is refused with any file in the place of another', async () => {
    for (const [path] of files)
      for (const [other, bytes] of files)
        if (other !== path) expect(await withFile(path, bytes), `${other} as ${path}`).toMatch(/^[A-Z_]+$/)
  })

  test('is refused with the seal taken off any file', async () => {
    for (const [path, bytes] of files) {
      if (path.endsWith('.state')) continue
      const bare = Buffer.from(unseal({ path }, bytes))
      expect(await withFile(path, bare), path).toBe('SEAL_MISSING')
    }
  })

  test('is read when none of its files has a seal, and goes on with sealed ones', async () => {
    const old = new MemoryStore()
    for (const [path, bytes] of files)
      old.objects.set(path, path.endsWith('.state') ? bytes : Buffer.from(unseal({ path }, bytes)))
    expect(await restore(old)).toBe(whole)
    const log = await JobLog.open(old, JOB)
    await log.claim({ revision: 'r', spec: { graph: [] }, desiredState: 'running' })
    const again = await JobLog.open(old, JOB)
    expect(again.view()).toMatchObject({ attempt: 2, newest: report })
    expect(again.sealOf(report)).toBe('optional')
  })

  test("is refused with the files of another job, of the same name and number, in this one's folder", async () => {
    for (const [path, bytes] of files) {
      if (path.endsWith('.state')) continue
      const other = seal({ path, job: 'other-uid' }, unseal({ path }, bytes))
      expect(await withFile(path, other)).toBe('FILE_MISPLACED')
    }
  })
})

test('a file from before there were seals is read as it is', () => {
  expect(unseal({ path: 'log/000000000001', job: JOB }, Buffer.from('{"kind":"claim"}'))).toBe('{"kind":"claim"}')
})
