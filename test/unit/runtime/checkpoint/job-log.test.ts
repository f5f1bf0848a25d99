import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JobLog, type LogEntry } from '../../../../runtime/checkpoint/job-log.ts'
import { decodeManifest, encodeManifest } from '../../../../runtime/checkpoint/manifest.ts'
import { seal } from '../../../../runtime/checkpoint/sealed-file.ts'
import { discardSavepoint, retire } from '../../../../runtime/checkpoint/retention.ts'
import type { JobTarget } from '../../../../runtime/model/job.ts'
import type { StateFile } from '../../../../runtime/model/snapshot.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'

const target: JobTarget = { revision: 'r1', spec: {}, desiredState: 'running' }

function checkpoint(attempt: number, id: number, savepoint: string | null = null): LogEntry {
  return {
    kind: 'checkpoint',
    savepoint,
    final: false,
    checkpoint: {
      attempt,
      id,
      kind: savepoint === null ? 'checkpoint' : 'savepoint',
      path: `checkpoints/${attempt}-${id}/manifest.json`,
      completedAt: id,
      durationMs: 1,
      sizeBytes: 1,
    },
  }
}

function manifestOf(path: string, state: Record<string, readonly string[]>): Uint8Array {
  const files = Object.entries(state).map(
    ([operator, paths]) =>
      [operator, paths.map((path): StateFile => ({ path, sizeBytes: 0, sha256: '0'.repeat(64), groups: [] }))] as const,
  )
  return encodeManifest(
    {
      job: 'j',
      attempt: 1,
      id: 1,
      kind: 'checkpoint',
      completedAt: 0,
      durationMs: 0,
      sizeBytes: 0,
      maxParallelism: 1,
      revision: '',
      spec: {},
      subtasks: { 'op-0': { splits: {}, state: Object.fromEntries(files), committables: {} } },
    },
    { path, job: 'job-uid' },
  )
}

/** The files that any checkpoint in the log refers to. */
function referredBy(store: MemoryStore, log: JobLog): string[] {
  const paths = log.view().checkpoints.flatMap(({ checkpoint: { path } }) =>
    Object.values(decodeManifest({ path }, store.objects.get(path) ?? new Uint8Array()).subtasks).flatMap(({ state }) =>
      Object.values(state)
        .flat()
        .map((file) => file.path),
    ),
  )
  return [...new Set(paths)].sort()
}

describe('the log of a job', () => {
  test('of two coordinators that claim at once each gets an attempt of its own', async () => {
    const store = new MemoryStore()
    const [a, b] = [await JobLog.open(store, 'job-uid'), await JobLog.open(store, 'job-uid')]
    const attempts = await Promise.all([a.claim(target), b.claim(target)])
    expect(attempts.sort()).toEqual([1, 2])
  })

  test('an older coordinator cannot complete a checkpoint once a newer attempt is claimed', async () => {
    const store = new MemoryStore()
    const old = await JobLog.open(store, 'job-uid')
    await old.claim(target)
    await old.append(1, checkpoint(1, 1))
    const young = await JobLog.open(store, 'job-uid')
    expect(await young.claim(target)).toBe(2)
    await expect(old.append(1, checkpoint(1, 2))).rejects.toMatchObject({ code: 'ATTEMPT_SUPERSEDED' })
    expect(young.view().newest).toMatchObject({ attempt: 1, id: 1 })
  })

  test('a claim sees every checkpoint that was complete before it, however the older coordinator raced', async () => {
    const store = new MemoryStore()
    const old = await JobLog.open(store, 'job-uid')
    await old.claim(target)
    const young = await JobLog.open(store, 'job-uid')
    const [, attempt] = await Promise.all([old.append(1, checkpoint(1, 1)), young.claim(target)])
    expect(attempt).toBe(2)
    expect(young.view().newest).toMatchObject({ attempt: 1, id: 1 })
  })

  test('an append whose answer was lost is recognised when it is repeated', async () => {
    const store = new MemoryStore()
    const log = await JobLog.open(store, 'job-uid')
    await log.claim(target)
    const path = 'log/000000000002'
    await store.createIfAbsent(path, seal({ path, job: 'job-uid' }, JSON.stringify(checkpoint(1, 1))))
    await log.append(1, checkpoint(1, 1))
    await log.append(1, checkpoint(1, 2))
    expect(log.view().newest).toMatchObject({ id: 2 })
  })

  test('two appends at once both land, and neither takes the other for a newer attempt', async () => {
    const store = new MemoryStore()
    const log = await JobLog.open(store, 'job-uid')
    await log.claim(target)
    await Promise.all([1, 2, 3].map((id) => log.append(1, checkpoint(1, id, id === 2 ? 'mine' : null))))
    expect((await JobLog.open(store, 'job-uid')).view().checkpoints.map((item) => item.checkpoint.id)).toEqual([
      1, 2, 3,
    ])
  })

  test('an append after an entry that another handle of the same attempt wrote lands behind it', async () => {
    const store = new MemoryStore()
    const one = await JobLog.open(store, 'job-uid')
    await one.claim(target)
    const other = await JobLog.open(store, 'job-uid')
    await other.append(1, checkpoint(1, 1))
    await one.append(1, checkpoint(1, 2))
    expect(one.view().checkpoints.map((item) => item.checkpoint.id)).toEqual([1, 2])
  })

  test('retention keeps the newest checkpoints, every savepoint and every claim, and an old coordinator stays fenced', async () => {
    const store = new MemoryStore()
    const old = await JobLog.open(store, 'job-uid')
    await old.claim(target)
    await old.append(1, checkpoint(1, 1))
    const log = await JobLog.open(store, 'job-uid')
    await log.claim(target)
    for (let id = 2; id < 10; id++) {
      const path = `checkpoints/2-${id}/manifest.json`
      await store.put(path, manifestOf(path, {}))
      await log.append(2, checkpoint(2, id, id === 3 ? 'mine' : null))
    }
    await retire(log, store, 2)
    const again = (await JobLog.open(store, 'job-uid')).view()
    expect(again.checkpoints.map((item) => item.checkpoint.id)).toEqual([3, 7, 8, 9])
    expect(again.attempt).toBe(2)
    expect(store.objects.has('checkpoints/2-3/manifest.json')).toBe(true)
    expect(store.objects.has('checkpoints/2-4/manifest.json')).toBe(false)
    await expect(old.append(1, checkpoint(1, 99))).rejects.toMatchObject({ code: 'ATTEMPT_SUPERSEDED' })
  })

  test('a file lives as long as any checkpoint or savepoint refers to it, and no longer', async () => {
    const steps = fc.array(
      fc.record({ refers: fc.array(fc.nat(6), { maxLength: 3 }), savepoint: fc.boolean(), discards: fc.boolean() }),
      { minLength: 5, maxLength: 25 },
    )
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const store = new MemoryStore()
        const log = await JobLog.open(store, 'job-uid')
        await log.claim(target)
        for (const [id, { refers, savepoint, discards }] of all.entries()) {
          const file = (of: number): string => `checkpoints/1-${of}/op.state`
          await store.put(file(id), new Uint8Array())
          // what a subtask refers to is what its checkpoint before still had
          const before = referredBy(store, log).filter((path) => refers.some((back) => path === file(id - back)))
          await store.put(
            `checkpoints/1-${id}/manifest.json`,
            manifestOf(`checkpoints/1-${id}/manifest.json`, { op: [...(savepoint ? [] : before), file(id)] }),
          )
          await log.append(1, checkpoint(1, id, savepoint ? `s${id}` : null))
          await retire(log, store, 1)
          if (discards) {
            const given = log
              .view()
              .checkpoints.find((item) => item.savepoint !== null && item.checkpoint !== log.view().newest)
            if (given?.savepoint != null) await discardSavepoint(log, store, given.savepoint)
          }
          const files = [...store.objects.keys()].filter((path) => path.endsWith('.state')).sort()
          expect(files).toEqual(referredBy(store, log))
        }
      }),
    )
  })

  test('a job that ended is remembered until the next claim', async () => {
    const store = new MemoryStore()
    const log = await JobLog.open(store, 'job-uid')
    await log.claim(target)
    await log.append(1, { kind: 'finished', attempt: 1 })
    expect((await JobLog.open(store, 'job-uid')).view().ended).toBe('finished')
    await log.claim(target)
    expect(log.view().ended).toBeUndefined()
  })
})

test('a claim that is written again after the log vanished names its target and template again', async () => {
  const store = new MemoryStore()
  const log = await JobLog.open(store, 'uid')
  const attempt = await log.claim(target, 'template')
  for (const path of await store.list('log/')) await store.delete(path)
  expect(await log.isThere()).toBe(false)
  await log.restateClaim(attempt)
  expect((await JobLog.open(store, 'uid')).view()).toMatchObject({ attempt, target, template: 'template' })
})
