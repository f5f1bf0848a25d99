import { expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { JobLog } from '../../../../runtime/checkpoint/job-log.ts'
import { AttemptRun, type CheckpointRequest } from '../../../../runtime/coordinator/attempt-run.ts'
import { planJob } from '../../../../runtime/front/planned-job.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { MemoryStore } from '../../../harness/memory-store.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'

const spec = {
  graph: [
    { id: 'in', source: { file: { path: 'in.jsonl', format: 'json' } }, schema: { n: 'long' } },
    { id: 'out', from: 'in', sink: { file: { path: 'out' } } },
  ],
}
const PERIODIC: CheckpointRequest = {
  kind: 'checkpoint',
  extent: 'changes',
  thenStop: false,
  savepoint: null,
  final: false,
}

test('a checkpoint that was queued behind the one at which an attempt stops is not taken, a savepoint of a user is', async () => {
  const { graph, plan } = planJob(spec, builtinConnectors)
  const store = new MemoryStore()
  const log = await JobLog.open(store, 'uid')
  const target = { revision: 'r', spec, desiredState: 'running' as const }
  await log.claim(target)
  const run = new AttemptRun({
    attempt: 1,
    target,
    graph,
    plan,
    subtasks: ['in-0'],
    job: 'job',
    jobUid: 'uid',
    predecessors: [],
    readingShare: 1,
    inlineStateBytes: 0,
    firstCheckpoint: 1,
    timeoutMs: 1_000,
    clock: new ManualClock(),
    store,
    log,
    logger: silentLogger,
    send: (subtask, message) => {
      if (message.kind !== 'trigger') return
      const snapshot = { splits: {}, state: {}, committables: {} }
      queueMicrotask(() => {
        run.onMessage(subtask, { kind: 'snapshot', attempt: 1, checkpoint: message.checkpoint, snapshot })
      })
    },
  })
  const stop = run.take({ ...PERIODIC, kind: 'savepoint', thenStop: true, savepoint: 'suspended-1' })
  const queued = run.take(PERIODIC)
  const asked = run.take({ ...PERIODIC, kind: 'savepoint', savepoint: 'mine' })
  await expect(queued).rejects.toMatchObject({ code: 'ATTEMPT_STOPPED' })
  expect([(await stop).id, (await asked).id]).toEqual([1, 2])
  expect(log.view().checkpoints.map(({ savepoint }) => savepoint)).toEqual(['suspended-1', 'mine'])
})
