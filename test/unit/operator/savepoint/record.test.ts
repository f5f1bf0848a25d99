import { describe, expect, test } from 'vitest'
import { streamJobs } from '../../../../operator/api/stream-job.ts'
import type { StreamSavepoint } from '../../../../operator/api/stream-savepoint.ts'
import { KubeError } from '../../../../operator/kube/errors.ts'
import type { JobReport } from '../../../../runtime/control/job-report.ts'
import { crash, isCrash } from '../../../harness/certification/strike.ts'
import { countsSpec, OperatorWorld, REF } from '../../../harness/operator-world.ts'

/** As a real coordinator stops: at a savepoint that is kept under a name. */
function stopsAtSavepoint(report: JobReport): void {
  const { phase, attempt } = report
  // A coordinator that stands by has stopped nothing.
  if (phase !== 'suspended' || attempt === 0) return
  const savepoint = `suspended-${attempt}`
  const path = `checkpoints/${attempt}-40/manifest.json`
  const completedAt = Date.parse('2026-11-21T12:30:00Z')
  report.checkpoint = {
    attempt,
    id: 40,
    kind: 'savepoint',
    savepoint,
    path,
    completedAt,
    durationMs: 2_000,
    sizeBytes: 9,
  }
}

async function runningJob(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  world.afterReport = stopsAtSavepoint
  await world.create(countsSpec({ upgrade: { rollback: 'Disabled' } }))
  await world.untilRunning()
  return world
}

const records = (world: OperatorWorld): StreamSavepoint[] =>
  [...world.kube.objects.values()].filter((one): one is StreamSavepoint => one.kind === 'StreamSavepoint')

const OPERATIONS: readonly [
  string,
  (world: OperatorWorld) => Promise<void>,
  (world: OperatorWorld) => boolean,
  string[],
][] = [
  [
    'a suspension',
    async (world) => {
      world.edit((spec) => {
        spec['desiredState'] = 'Suspended'
      })
    },
    (world) => world.job()?.status?.phase === 'Suspended',
    ['Suspend'],
  ],
  ['a deletion', (world) => world.kube.delete(streamJobs, REF), (world) => world.job() === undefined, ['Final']],
  [
    'an upgrade to other pods, before it and when the old ones stop,',
    async (world) => {
      world.edit((spec) => {
        spec['image'] = 'millrace:2'
      })
    },
    (world) => world.coordinatorReport().attempt === 2 && world.podNames().length === 5,
    ['Upgrade', 'Upgrade'],
  ],
  [
    'a rescale, whose own is not kept,',
    async (world) => {
      world.edit((spec) => {
        spec['replicas'] = 3
      })
    },
    (world) => world.coordinatorReport().attempt === 2,
    [],
  ],
]

describe('the savepoints of', () => {
  test.each(OPERATIONS)(
    '%s become StreamSavepoints once, wherever the operator dies',
    async (_, ask, isOver, triggers) => {
      const run = async (die: (call: string) => void): Promise<string[]> => {
        const world = await runningJob()
        await ask(world)
        const calls: string[] = []
        for (const when of ['before', 'after'] as const)
          world.kube[when] = (call) => {
            if (!/^(create|patch|patchStatus|delete) (streamjobs|streamsavepoints)/.test(call)) return
            calls.push(call)
            die(call)
          }
        const isDone = (): boolean =>
          isOver(world) &&
          records(world).every(({ status }) => status?.phase === 'Completed') &&
          (world.job()?.status?.untold ?? []).length === 0
        for (let pass = 0; pass < 200 && !isDone(); pass += 1) {
          await world.pass().catch((error: unknown) => {
            if (!isCrash(error)) throw error
          })
          world.kubelet()
          await world.clock.advance(500)
        }
        expect(isDone(), JSON.stringify(world.job()?.status)).toBe(true)
        expect(records(world).map(({ spec }) => spec.trigger)).toEqual(triggers)
        return calls
      }
      const calls = await run(() => undefined)
      for (const [nr, name] of calls.entries()) {
        let count = -1
        await run((call) => {
          count += 1
          if (count === nr) crash(`${name}, now ${call}`)
        })
      }
    },
  )

  test('a deletion say where they lie, and belong to nobody', async () => {
    const world = await runningJob()
    await world.kube.delete(streamJobs, REF)
    await world.until('gone', (job) => job === undefined)
    expect(records(world)).toMatchObject([
      {
        metadata: { name: 'counts-20261121-123000-1-40', labels: { 'millrace.dev/job': 'counts' } },
        spec: { job: 'counts', trigger: 'Final', deletionPolicy: 'Retain' },
        status: {
          phase: 'Completed',
          id: 'suspended-1',
          location: 'file:///checkpoints/shop/counts/job-uid-1/checkpoints/1-40',
          startedAt: '2026-11-21T12:29:58Z',
          completedAt: '2026-11-21T12:30:00Z',
          sizeBytes: 9,
        },
      },
    ])
    expect(records(world)[0]?.metadata.ownerReferences).toBeUndefined()
  })

  test('a deletion that cannot be recorded hold nothing up, and an Event says where they lie', async () => {
    const world = await runningJob()
    world.kube.admit = ({ kind }) => {
      if (kind === 'StreamSavepoint')
        throw new KubeError('no', { status: 403, reason: 'Forbidden', words: 'exceeded quota: small' })
    }
    await world.kube.delete(streamJobs, REF)
    await world.until('gone', (job) => job === undefined)
    expect(world.eventTexts().filter((text) => text.includes('SavepointNotRecorded'))).toEqual([
      'Warning SavepointNotRecorded: A savepoint (Final) is at file:///checkpoints/shop/counts/job-uid-1/checkpoints/1-40, and no StreamSavepoint could be made of it: exceeded quota: small',
    ])
  })
})

test('when a coordinator that nobody asked to stop names one savepoint after another, none is recorded', async () => {
  const world = await runningJob()
  let number = 0
  world.afterReport = (report) => {
    number += 1
    const path = `checkpoints/1-${number}/manifest.json`
    const savepoint = `suspended-${number}`
    report.checkpoint = {
      attempt: 1,
      id: number,
      kind: 'savepoint',
      savepoint,
      path,
      completedAt: 0,
      durationMs: 1,
      sizeBytes: 1,
    }
  }
  for (let pass = 0; pass < 5; pass += 1) await world.pass()
  expect(records(world)).toEqual([])
})
