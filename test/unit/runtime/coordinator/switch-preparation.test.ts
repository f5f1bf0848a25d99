import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { JobLog } from '../../../../runtime/checkpoint/job-log.ts'
import type { Manifest } from '../../../../runtime/checkpoint/manifest.ts'
import type { CoordinatorMessage } from '../../../../runtime/control/messages.ts'
import { AttemptRun } from '../../../../runtime/coordinator/attempt-run.ts'
import { SwitchPreparation } from '../../../../runtime/coordinator/switch-preparation.ts'
import { errorReport, MillraceError } from '../../../../runtime/model/errors.ts'
import type { CheckpointReport } from '../../../../runtime/model/job.ts'
import { planJob } from '../../../../runtime/front/planned-job.ts'
import { ManualClock, settle } from '../../../harness/manual-clock.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'

const MB = 1_000_000
const ATTEMPT = 3
const spec = {
  replicas: 2,
  graph: [
    { id: 'bids', source: { file: { path: 'in.jsonl', format: 'json' } }, schema: { auction: 'long', price: 'long' } },
    { id: 'last', from: 'bids', keyBy: 'auction', dedupe: { keep: 'first' } },
    { id: 'out', from: 'last', sink: { file: { path: 'out' } } },
  ],
}
const { graph, plan } = planJob(spec, builtinConnectors)
const WORKERS = ['bids-0', 'bids-1', 'last-0', 'last-1']
const target = { revision: 'new', spec, desiredState: 'running' as const }

/** A preparation whose checkpoints have these sizes, one after the other. */
async function prepare(sizes: readonly number[]) {
  const clock = new ManualClock()
  const sent: [string, CoordinatorMessage][] = []
  const store = new MemoryStore()
  const run = new AttemptRun({
    attempt: ATTEMPT,
    target: { ...target, revision: 'old' },
    graph,
    plan,
    subtasks: WORKERS,
    job: 'job',
    jobUid: 'job-uid',
    predecessors: [],
    readingShare: 1,
    inlineStateBytes: 0,
    firstCheckpoint: 1,
    timeoutMs: 1,
    clock,
    store,
    log: await JobLog.open(store, 'job-uid'),
    logger: silentLogger,
    send: () => undefined,
  })
  let taken = 0
  let over = 0
  const preparation = new SwitchPreparation({
    run,
    target,
    graph,
    plan,
    baseDir: '',
    storeUrl: 'store',
    clock,
    logger: silentLogger,
    send: (subtask, message) => {
      sent.push([subtask, message])
    },
    onOver: () => {
      over += 1
    },
    checkpoint: () => {
      const sizeBytes = sizes[taken++]
      if (sizeBytes === undefined)
        return Promise.reject(
          new MillraceError('STORE_UNAVAILABLE', 'the store is away', { domain: 'dependency', retriable: true }),
        )
      return Promise.resolve<CheckpointReport>({
        attempt: ATTEMPT,
        id: taken,
        kind: 'checkpoint',
        path: '',
        completedAt: 0,
        durationMs: 0,
        sizeBytes,
      })
    },
    readManifest: ({ id, sizeBytes }) =>
      Promise.resolve<Manifest>({
        job: 'job',
        attempt: ATTEMPT,
        id,
        kind: 'checkpoint',
        completedAt: 0,
        durationMs: 0,
        sizeBytes,
        maxParallelism: plan.maxParallelism,
        revision: 'old',
        spec,
        subtasks: {},
      }),
  })
  await settle()
  const answer = async (kind: 'prepared' | 'preparing', checkpoint: number, workers = WORKERS): Promise<void> => {
    for (const worker of workers) preparation.onMessage(worker, { kind, attempt: ATTEMPT, checkpoint })
    await settle()
  }
  return { clock, run, preparation, sent, answer, overs: () => over, taken: () => taken }
}

describe('the preparation of a switch', () => {
  test('has workers restore one checkpoint after the other until what the last one brought is little', async () => {
    const { answer, sent, overs, taken } = await prepare([1000 * MB, 1040 * MB, 1040 * MB + 1000])
    for (const checkpoint of [1, 2]) {
      expect(
        sent
          .splice(0)
          .map(([worker, message]) => [
            worker,
            message.kind === 'prepare' ? message.preparation.checkpoint : message.kind,
          ]),
      ).toEqual(WORKERS.map((worker) => [worker, checkpoint]))
      expect(overs()).toBe(0)
      await answer('prepared', checkpoint)
    }
    await answer('prepared', 3)
    expect({ overs: overs(), taken: taken() }).toEqual({ overs: 1, taken: 3 })
  })

  test('when each round brings nearly as much as the one before, is over', async () => {
    const { answer, overs, taken } = await prepare([1000 * MB, 1900 * MB, 2800 * MB])
    await answer('prepared', 1)
    await answer('prepared', 2)
    expect({ overs: overs(), taken: taken() }).toEqual({ overs: 1, taken: 2 })
  })

  test('goes on without workers that are lost or could not prepare', async () => {
    const { preparation, answer, overs } = await prepare([1000, 1000])
    await answer('prepared', 1, ['bids-0', 'bids-1'])
    preparation.onLost('last-0')
    preparation.onMessage('last-1', {
      kind: 'unprepared',
      attempt: ATTEMPT,
      checkpoint: 7,
      error: errorReport(new MillraceError('STATE_MISSING', 'of another checkpoint')),
    })
    await settle()
    expect(overs()).toBe(0)
    preparation.onMessage('last-1', {
      kind: 'unprepared',
      attempt: ATTEMPT,
      checkpoint: 1,
      error: errorReport(new MillraceError('STATE_MISSING', 'gone')),
    })
    await settle()
    expect({ overs: overs(), isOver: preparation.isOver }).toEqual({ overs: 1, isOver: true })
  })

  test('when nothing is heard for half a minute, is over; with news now and then after two minutes', async () => {
    const silent = await prepare([1000 * MB, 1000 * MB])
    await silent.clock.advance(29_000)
    expect(silent.overs()).toBe(0)
    await silent.clock.advance(2_000)
    expect(silent.overs()).toBe(1)
    const slow = await prepare([1000 * MB, 1000 * MB])
    for (let heard = 0; heard < 5; heard++) {
      await slow.clock.advance(20_000)
      await slow.answer('preparing', 1, ['last-0'])
    }
    expect(slow.overs()).toBe(0)
    await slow.clock.advance(20_001)
    expect({ overs: slow.overs(), taken: slow.taken() }).toEqual({ overs: 1, taken: 1 })
  })

  test('when its checkpoint cannot be taken, is over: the switch goes on without', async () => {
    const { overs, sent } = await prepare([])
    expect({ overs: overs(), sent }).toEqual({ overs: 1, sent: [] })
  })

  test('that is revoked has workers give up what they hold, and tells nobody that it is over', async () => {
    const { preparation, run, sent, overs } = await prepare([1000 * MB])
    expect(preparation.isFor(run, target)).toBe(true)
    expect([
      preparation.isFor(run, { ...target, revision: 'other' }),
      preparation.isFor(run, { ...target, desiredState: 'suspended' }),
      preparation.isFor(undefined, target),
    ]).toEqual([false, false, false])
    sent.length = 0
    preparation.revoke()
    await settle()
    expect({ sent, overs: overs() }).toEqual({
      sent: WORKERS.map((worker) => [worker, { kind: 'unprepare', attempt: ATTEMPT }]),
      overs: 0,
    })
  })
})
