import { describe, expect, test } from 'vitest'
import { sleep } from '../../../../../runtime/ports/clock.ts'
import { entryOf, IN_A_TOPIC, LogWorld } from '../../../../harness/log-world.ts'

const SEEDS = Number(process.env['MILLRACE_LOG_SEEDS'] ?? 120)

/** Sends to any process that listens, dead ones of older attempts included, and notes what it was told. */
class Senders {
  readonly acknowledged = new Set<string>()
  readonly tried = new Set<string>()
  stopped = false
  readonly #job: LogWorld

  constructor(job: LogWorld) {
    this.#job = job
  }

  async run(name: string): Promise<void> {
    const { world, clock } = this.#job
    for (let number = 0; !this.stopped; number++) {
      await sleep(clock, world.random() * 5)
      const listening = [...this.#job.slots, ...this.#job.zombies]
      const intake = listening[Math.floor(world.random() * listening.length)]?.intake
      if (intake === undefined) continue
      const ids = Array.from({ length: 1 + Math.floor(world.random() * 3) }, (_, index) => `${name}-${number}-${index}`)
      for (const id of ids) this.tried.add(id)
      // a process that dies never answers
      const answer = await Promise.race([
        intake.append(ids.map(entryOf)).catch(() => 'refused' as const),
        sleep(clock, 50).then(() => 'silent' as const),
      ])
      if (answer === 'kept') for (const id of ids) this.acknowledged.add(id)
    }
  }
}

const fault = (job: LogWorld): 'before' | 'after' | undefined => {
  const draw = job.world.random()
  return draw < 0.05 ? 'before' : draw < 0.1 ? 'after' : undefined
}

async function runJob(job: LogWorld, senders: Senders): Promise<void> {
  const { world } = job
  const sending = ['a', 'b', 'c'].map((name) => senders.run(name))
  for (let attempt = 0; attempt < 8; attempt++) {
    await job.start(1 + Math.floor(world.random() * 3))
    const rounds = Math.floor(world.random() * 6)
    // now and then the volume takes nothing for a call, and a call or answer of Kafka is lost
    job.kafka.fault = () => fault(job)
    job.files.refusal = () => (world.random() < 0.05 ? new Error('no space left on device') : undefined)
    try {
      for (let round = 0; round < rounds; round++) {
        await job.poll(1 + Math.floor(world.random() * 6))
        if (world.random() < 0.7) await job.checkpoint(world.random() < 0.8)
      }
    } catch (error) {
      // a reader whose log was taken over ends its attempt, as any error of a reader does
      if ((error as { code?: string }).code !== 'LOG_CLOSED') throw error
    }
    job.files.refusal = () => undefined
    job.kafka.fault = () => undefined
    const draw = world.random()
    job.end(draw < 0.4 ? 'leave' : draw < 0.8 ? 'kill' : 'cutPower')
    // between two attempts only those of the past listen
    await sleep(job.clock, world.random() * 30)
  }
  senders.stopped = true
  await Promise.all(sending)
  await job.start(2)
  for (let before = -1; before !== job.output.length; ) {
    before = job.output.length
    await job.poll(40)
    await job.checkpoint(true)
  }
}

describe('a write-ahead log under faults', () => {
  test.each([
    ['a folder', undefined],
    ['a topic of Kafka', IN_A_TOPIC],
  ])(
    'every record that was acknowledged in %s comes out exactly once and every other at most once, whatever dies when',
    async (_place, option) => {
      let acknowledged = 0
      for (let seed = 1; seed <= SEEDS; seed++) {
        const job = new LogWorld(seed, option)
        const senders = new Senders(job)
        let over: unknown = 'running'
        void runJob(job, senders).then(
          () => (over = undefined),
          (error: unknown) => (over = error),
        )
        await job.world.run(() => over !== 'running', 3_600_000)
        if (over !== undefined) throw new Error(`seed ${seed}`, { cause: over })
        const counts = new Map<string, number>()
        for (const id of job.output) counts.set(id, (counts.get(id) ?? 0) + 1)
        const lost = [...senders.acknowledged].filter((id) => !counts.has(id))
        const doubled = [...counts].filter(([, count]) => count > 1)
        expect({ seed, lost, doubled }).toEqual({ seed, lost: [], doubled: [] })
        expect([...counts.keys()].filter((id) => !senders.tried.has(id))).toEqual([])
        acknowledged += senders.acknowledged.size
      }
      expect(acknowledged).toBeGreaterThan(SEEDS * 20)
    },
  )
})
