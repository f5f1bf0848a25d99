import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { JobLog, type LogEntry } from '../../../../runtime/checkpoint/job-log.ts'
import { encodeManifest, type Manifest } from '../../../../runtime/checkpoint/manifest.ts'
import { retire, sweep } from '../../../../runtime/checkpoint/retention.ts'
import { openFileStore } from '../../../../runtime/ports/real/file-store.ts'
import type { Store } from '../../../../runtime/ports/store.ts'

const target = { revision: 'r1', spec: {}, desiredState: 'running' } as const
const BYTES = new Uint8Array([1])

function manifestOf(attempt: number, id: number, paths: readonly string[]): Uint8Array {
  const files = paths.map((path) => ({ path, sizeBytes: 1, sha256: '0'.repeat(64), groups: [] }))
  const manifest: Manifest = {
    job: 'job',
    attempt,
    id,
    kind: 'checkpoint',
    completedAt: 0,
    durationMs: 0,
    sizeBytes: 1,
    maxParallelism: 128,
    revision: 'r1',
    spec: {},
    subtasks: { 'op-0': { splits: {}, state: { op: files }, committables: {} } },
  }
  return encodeManifest(manifest, { path: `checkpoints/${attempt}-${id}/manifest.json`, job: 'job-uid' })
}

function entryOf(attempt: number, id: number): LogEntry {
  return {
    kind: 'checkpoint',
    checkpoint: {
      attempt,
      id,
      kind: 'checkpoint',
      path: `checkpoints/${attempt}-${id}/manifest.json`,
      completedAt: 0,
      durationMs: 0,
      sizeBytes: 1,
    },
    savepoint: null,
    final: false,
  }
}

describe('sweeping the folder of a job', () => {
  let folder = ''
  let store: Store
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-sweep-'))
    store = openFileStore(folder)
  })
  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  const put = async (...paths: readonly string[]): Promise<void> => {
    for (const path of paths) await store.put(path, BYTES)
  }
  /** As a put that was killed leaves it. */
  const cutShort = async (path: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), BYTES)
  }
  const complete = async (log: JobLog, attempt: number, id: number, paths: readonly string[]): Promise<void> => {
    await store.put(`checkpoints/${attempt}-${id}/manifest.json`, manifestOf(attempt, id, paths))
    await log.append(attempt, entryOf(attempt, id))
  }
  const files = async (): Promise<string[]> =>
    (await readdir(join(folder, 'checkpoints'), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort()
  const folders = async (): Promise<string[]> => (await readdir(join(folder, 'checkpoints'))).sort()

  test('takes what checkpoints have left that came to nothing, and leaves what a manifest names or the next checkpoint may be writing', async () => {
    const log = await JobLog.open(store, 'job-uid')
    await log.claim(target)
    await put('checkpoints/1-1/op.op-0.state')
    await complete(log, 1, 1, ['checkpoints/1-1/op.op-0.state'])
    // given up: some subtask had written its part, one was killed while it wrote, the manifest was there and its
    // entry not
    await put('checkpoints/1-2/op.op-0.state', 'checkpoints/1-3/op.op-0.state', 'checkpoints/1-3/manifest.json')
    await cutShort('checkpoints/1-2/.op.op-1.state.0a1b2c3d4e5f.tmp')
    await log.claim(target)
    // given up too, but the next one names what the first subtask wrote for it
    await put('checkpoints/2-2/op.op-0.state', 'checkpoints/2-2/op.op-1.state', 'checkpoints/2-3/op.op-0.state')
    await complete(log, 2, 3, ['checkpoints/2-2/op.op-0.state', 'checkpoints/2-3/op.op-0.state'])
    await put('checkpoints/2-4/op.op-0.state')
    await cutShort('checkpoints/2-4/.op.op-1.state.0a1b2c3d4e5f.tmp')
    expect(await sweep(log, store, { attempt: 2, id: 3 })).toBe(5)
    expect(await files()).toEqual([
      'checkpoints/1-1/manifest.json',
      'checkpoints/1-1/op.op-0.state',
      'checkpoints/2-2/op.op-0.state',
      'checkpoints/2-3/manifest.json',
      'checkpoints/2-3/op.op-0.state',
      'checkpoints/2-4/.op.op-1.state.0a1b2c3d4e5f.tmp',
      'checkpoints/2-4/op.op-0.state',
    ])
    expect(await folders()).toEqual(['1-1', '2-2', '2-3', '2-4'])
  })

  test('when a newer attempt has been claimed, an older one sweeps nothing', async () => {
    const log = await JobLog.open(store, 'job-uid')
    await log.claim(target)
    await complete(log, 1, 2, [])
    await log.claim(target)
    await put('checkpoints/1-1/op.op-0.state')
    expect(await sweep(log, store, { attempt: 1, id: 2 })).toBe(0)
    expect(await files()).toHaveLength(2)
  })

  test('when a manifest cannot be read, nothing is swept', async () => {
    const log = await JobLog.open(store, 'job-uid')
    await log.claim(target)
    await put('checkpoints/1-1/op.op-0.state', 'checkpoints/1-1/manifest.json')
    await log.append(1, entryOf(1, 1))
    await complete(log, 1, 2, [])
    await expect(sweep(log, store, { attempt: 1, id: 2 })).rejects.toMatchObject({
      code: expect.stringMatching('MANIFEST') as string,
    })
    expect(await files()).toHaveLength(3)
  })

  test('a checkpoint that is retired takes its folder with it', async () => {
    const log = await JobLog.open(store, 'job-uid')
    await log.claim(target)
    for (let id = 1; id < 6; id++) {
      await put(`checkpoints/1-${id}/op.op-0.state`)
      await complete(log, 1, id, [`checkpoints/1-${id}/op.op-0.state`])
      await retire(log, store, 1)
    }
    expect(await folders()).toEqual(['1-3', '1-4', '1-5'])
  })
})
