import { describe, expect, test } from 'vitest'
import { JobLog, type LogEntry } from '../../../../runtime/checkpoint/job-log.ts'
import { retire } from '../../../../runtime/checkpoint/retention.ts'
import type { JobTarget } from '../../../../runtime/model/job.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'

const target: JobTarget = { revision: 'r1', spec: {}, desiredState: 'running' }

function checkpoint(attempt: number, id: number, savepoint: string | null = null): LogEntry {
  return {
    kind: 'checkpoint', savepoint, final: false,
    checkpoint: { attempt, id, kind: savepoint === null ? 'checkpoint' : 'savepoint', path: `checkpoints/${attempt}-${id}/manifest.json`, completedAt: id, durationMs: 1, sizeBytes: 1 },
  }
}

describe('the log of a job', () => {
  test('of two coordinators that claim at once each gets an attempt of its own', async () => {
    const store = new MemoryStore()
    const [a, b] = [await JobLog.open(store), await JobLog.open(store)]
    const attempts = await Promise.all([a.claim(target), b.claim(target)])
    expect(attempts.sort()).toEqual([1, 2])
  })

  test('an older coordinator cannot complete a checkpoint once a newer attempt is claimed', async () => {
    const store = new MemoryStore()
    const old = await JobLog.open(store)
    await old.claim(target)
    await old.append(1, checkpoint(1, 1))
    const young = await JobLog.open(store)
    expect(await young.claim(target)).toBe(2)
    await expect(old.append(1, checkpoint(1, 2))).rejects.toMatchObject({ code: 'ATTEMPT_SUPERSEDED' })
    expect(young.view().newest).toMatchObject({ attempt: 1, id: 1 })
  })

  test('a claim sees every checkpoint that was complete before it, however the older coordinator raced', async () => {
    const store = new MemoryStore()
    const old = await JobLog.open(store)
    await old.claim(target)
    const young = await JobLog.open(store)
    const [, attempt] = await Promise.all([old.append(1, checkpoint(1, 1)), young.claim(target)])
    expect(attempt).toBe(2)
    expect(young.view().newest).toMatchObject({ attempt: 1, id: 1 })
  })

  test('an append whose answer was lost is recognised when it is repeated', async () => {
    const store = new MemoryStore()
    const log = await JobLog.open(store)
    await log.claim(target)
    await store.createIfAbsent('log/000000000002', Buffer.from(JSON.stringify(checkpoint(1, 1))))
    await log.append(1, checkpoint(1, 1))
    await log.append(1, checkpoint(1, 2))
    expect(log.view().newest).toMatchObject({ id: 2 })
  })

  test('retention keeps the newest checkpoints, every savepoint and every claim, and an old coordinator stays fenced', async () => {
    const store = new MemoryStore()
    const old = await JobLog.open(store)
    await old.claim(target)
    await old.append(1, checkpoint(1, 1))
    const log = await JobLog.open(store)
    await log.claim(target)
    for (let id = 2; id < 10; id++) {
      await store.put(`checkpoints/2-${id}/manifest.json`, Buffer.from('{}'))
      await log.append(2, checkpoint(2, id, id === 3 ? 'mine' : null))
    }
    await retire(log, store, 2)
    const again = (await JobLog.open(store)).view()
    expect(again.checkpoints.map((item) => item.checkpoint.id)).toEqual([3, 7, 8, 9])
    expect(again.attempt).toBe(2)
    expect(store.objects.has('checkpoints/2-3/manifest.json')).toBe(true)
    expect(store.objects.has('checkpoints/2-4/manifest.json')).toBe(false)
    await expect(old.append(1, checkpoint(1, 99))).rejects.toMatchObject({ code: 'ATTEMPT_SUPERSEDED' })
  })

  test('a job that ended is remembered until the next claim', async () => {
    const store = new MemoryStore()
    const log = await JobLog.open(store)
    await log.claim(target)
    await log.append(1, { kind: 'finished', attempt: 1 })
    expect((await JobLog.open(store)).view().ended).toBe('finished')
    await log.claim(target)
    expect(log.view().ended).toBeUndefined()
  })
})
