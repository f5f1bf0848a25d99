import { expect, test } from 'vitest'
import { CoordinatorRefusal } from '../../../../operator/job-client.ts'
import { Listener } from '../../../../operator/streamjob/listener.ts'
import type { JobReport, ReportWatch } from '../../../../runtime/control/job-report.ts'
import { reportDigest } from '../../../../runtime/control/report-digest.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { runningReport } from '../../../harness/running-report.ts'

const REF = { namespace: 'shop', name: 'counts' }
const ENDPOINT = { host: '10.0.0.1', port: 8081, jobUid: 'uid', token: 't', encryption: 'on' } as const
const REPORT = runningReport()

type Answer = JobReport | Error | undefined

/** A listener, and the coordinator that the test answers for. */
class Listening {
  readonly clock = new ManualClock()
  readonly asked: ReportWatch[] = []
  readonly woken: string[] = []
  jobs = 1
  #answer: (answer: Answer) => void = () => undefined
  readonly listener = new Listener({
    jobClient: {
      reportUnlike: (_, known) => {
        this.asked.push(known)
        return new Promise((resolve, reject) => {
          this.#answer = (answer) => {
            if (answer instanceof Error) reject(answer)
            else resolve(answer)
          }
        })
      },
    },
    clock: this.clock,
    wake: ({ name }) => {
      this.woken.push(name)
    },
    jobs: () => this.jobs,
    passesPerSecond: 2,
  })

  listen(report = REPORT, host: string = ENDPOINT.host): number {
    return this.listener.listen(REF, { ...ENDPOINT, host }, report)
  }

  async answer(answer: Answer): Promise<void> {
    this.#answer(answer)
    await this.clock.advance(0)
  }
}

test('when a coordinator says something else, its job is woken once', async () => {
  const world = new Listening()
  world.listen()
  expect(world.asked).toEqual([{ digest: reportDigest(REPORT), waitMs: 60_000 }])
  await world.answer(runningReport({ phase: 'recovering' }))
  await world.clock.advance(60_000)
  expect({ woken: world.woken, asked: world.asked.length }).toEqual({ woken: ['counts'], asked: 1 })
})

test('when nothing was heard, the coordinator is asked again', async () => {
  const world = new Listening()
  world.listen()
  await world.clock.advance(60_000)
  await world.answer(undefined)
  expect({ woken: world.woken, asked: world.asked.length }).toEqual({ woken: [], asked: 2 })
})

test('when a coordinator is gone, its job is woken', async () => {
  const world = new Listening()
  world.listen()
  await world.clock.advance(1_000)
  await world.answer(new MillraceError('COORDINATOR_UNREACHABLE', 'cut', { domain: 'platform', retriable: true }))
  expect(world.woken).toEqual(['counts'])
})

test('when later passes find the job as it was, nothing is asked anew', () => {
  const world = new Listening()
  world.listen()
  world.listen()
  expect(world.asked).toHaveLength(1)
})

test('when a pass finds another report or another coordinator, that is listened to', () => {
  const world = new Listening()
  world.listen()
  world.listen(runningReport({ restarts: 1 }))
  world.listen(runningReport({ restarts: 1 }), '10.0.0.2')
  expect(world.asked).toHaveLength(3)
})

test('when the job is not at rest any more, what its coordinator answers wakes nobody', async () => {
  const world = new Listening()
  world.listen()
  world.listener.forget(REF)
  await world.answer(runningReport({ phase: 'failed' }))
  expect({ woken: world.woken, asked: world.asked.length }).toEqual({ woken: [], asked: 1 })
})

test.each([
  [404, 'PATH_UNKNOWN'],
  [401, 'TOKEN_NEEDED'],
  [500, 'INTERNAL'],
])('when a coordinator answers %i to who listens, its job is looked at every three seconds', async (status, code) => {
  const world = new Listening()
  world.jobs = 1_000
  world.listen()
  await world.clock.advance(1_000)
  await world.answer(new CoordinatorRefusal('no', status, { code, message: 'no' }))
  expect({ woken: world.woken, rest: world.listen(), asked: world.asked.length }).toEqual({
    woken: ['counts'],
    rest: 3_000,
    asked: 1,
  })
})

test('when another image takes each digest for another one, its coordinator is not asked without a rest', async () => {
  const world = new Listening()
  world.listen()
  await world.answer(REPORT)
  expect(world.asked).toHaveLength(1)
  await world.clock.advance(3_000)
  expect({ woken: world.woken, asked: world.asked.length }).toEqual({ woken: [], asked: 2 })
})

test('when a coordinator does not wait with its answer, it is not asked without a rest', async () => {
  const world = new Listening()
  world.listen()
  for (let answers = 0; answers < 5; answers += 1) await world.answer(undefined)
  expect(world.asked).toHaveLength(1)
  await world.clock.advance(3_000)
  expect({ woken: world.woken, asked: world.asked.length }).toEqual({ woken: [], asked: 2 })
})

test('when a coordinator says something else at once, time after time, its job is woken once a second', async () => {
  const world = new Listening()
  for (let pass = 0; pass < 3; pass += 1) {
    world.listen()
    await world.answer(runningReport({ restarts: pass + 1 }))
    expect(world.woken).toHaveLength(pass)
    await world.clock.advance(1_000)
    expect(world.woken).toHaveLength(pass + 1)
  }
})

test.each([
  ['null', null],
  ['losses that are no list', { ...REPORT, losses: 5 }],
  ['a text', 'nothing'],
])('when a coordinator answers %s, the operator goes on and the job is woken', async (_, answer) => {
  const world = new Listening()
  world.listen()
  await world.clock.advance(1_000)
  await world.answer(answer as unknown as JobReport)
  expect(world.woken).toEqual(['counts'])
})

test('when what a coordinator answers cannot be read, the operator goes on and the job is woken', async () => {
  const world = new Listening()
  world.listen()
  await world.clock.advance(1_000)
  await world.answer(new SyntaxError('Unexpected token'))
  expect(world.woken).toEqual(['counts'])
})

test('when a pass ends after the listener, nothing is asked any more', () => {
  const world = new Listening()
  world.listener.stop()
  expect({ rest: world.listen(), asked: world.asked }).toEqual({ rest: 3_000, asked: [] })
})

test.each([
  [1, 3_000],
  [100, 50_000],
  [1_000, 500_000],
  [5_000, 900_000],
])('of %i jobs at rest each is passed over again after %i ms', (jobs, restMs) => {
  const world = new Listening()
  world.jobs = jobs
  expect(world.listen()).toBe(restMs)
})
