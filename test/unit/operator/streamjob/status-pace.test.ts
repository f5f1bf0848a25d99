import { describe, expect, test } from 'vitest'
import { StatusPace } from '../../../../operator/streamjob/status-pace.ts'
import { OperatorWorld } from '../../../harness/operator-world.ts'

/** A job that runs, whose operator remembers its passes. */
async function running(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  world.isForgetful = false
  await world.create()
  await world.untilRunning()
  await passes(world, 20)
  return world
}

/** One each second; gives how often the status of the job was written. */
async function passes(world: OperatorWorld, count: number): Promise<number> {
  const { calls } = world.kube
  const from = calls.length
  for (let pass = 0; pass < count; pass += 1) {
    await world.pass()
    world.kubelet()
    await world.clock.advance(1_000)
  }
  return calls.slice(from).filter((call) => call.startsWith('patchStatus streamjobs')).length
}

describe('the status of a job whose coordinator says something else at each question', () => {
  test('is written every ten seconds when only figures and texts differ', async () => {
    const world = await running()
    let said = 0
    world.afterReport = (report) => {
      said += 1
      report.restarts = said % 2
      report.error = { code: 'SINK_REFUSED', message: `no. ${said}`, domain: 'dependency', retriable: true }
    }
    await passes(world, 15)
    const writes = await passes(world, 100)
    expect(writes).toBeGreaterThanOrEqual(10)
    // One with the Events of the change, one without them when they are written.
    expect(writes).toBeLessThanOrEqual(22)
  })

  test('is written at once when the condition is another', async () => {
    const world = await running()
    let code = 'SINK_REFUSED'
    world.afterReport = (report) => {
      report.error = { code, message: 'no', domain: 'dependency', retriable: true }
    }
    await passes(world, 2)
    expect(world.condition('Healthy')).toBe('False/SinkRefused')
    code = 'SOURCE_REFUSED'
    await passes(world, 1)
    expect(world.condition('Healthy')).toBe('False/SourceRefused')
    world.afterReport = (report) => {
      report.error = null
    }
    await passes(world, 1)
    expect([world.condition('Healthy'), world.job()?.status?.phase]).toEqual(['True/Healthy', 'Running'])
  })

  test('says in the end what was said last, and the pass that held it back has another one made in time', async () => {
    const world = await running()
    world.afterReport = (report) => {
      report.restarts = 1
    }
    await passes(world, 1)
    world.afterReport = (report) => {
      report.restarts = 2
    }
    const nextMs = await world.pass()
    expect([world.job()?.status?.restarts, nextMs]).toEqual([1, expect.toSatisfy((ms: number) => ms <= 10_000)])
    await passes(world, 11)
    expect(world.job()?.status?.restarts).toBe(2)
  })
})

describe('an operator that has just started', () => {
  const NOW = 1_000_000_000
  const REST_MS = 800_000
  const jobs = Array.from({ length: 1_000 }, (_, index) => `uid-${index}`)
  const figures = { before: { restarts: 1 }, next: { restarts: 2 }, now: NOW }
  const heldBack = (pace: StatusPace, more: object): number[] =>
    jobs.map((uid) => pace.heldBackMs(uid, { ...figures, ...more }))

  test('writes the figures of jobs at rest one after the other, within the time that they may be old', () => {
    const waits = heldBack(new StatusPace(), { leastMs: REST_MS })
    const inTenths = Array.from({ length: 10 }, (_, tenth) =>
      waits.filter((ms) => ms > (tenth * REST_MS) / 10 && ms <= ((tenth + 1) * REST_MS) / 10),
    )
    for (const { length } of inTenths) expect(length).toBeGreaterThan(50)
    expect(Math.max(...waits)).toBeLessThanOrEqual(REST_MS)
  })

  test('writes at once what is no figure, what it has told, and figures of jobs that are not at rest', () => {
    const phase = { next: { phase: 'Failing' as const }, leastMs: REST_MS }
    for (const more of [phase, { leastMs: REST_MS, hasTold: true }, {}])
      expect(new Set(heldBack(new StatusPace(), more))).toEqual(new Set([0]))
  })
})
