import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import type { Admin, Message } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { LocalJob } from '../../cli/local-job.ts'
import { builtinConnectors } from '../../runtime/builtin-connectors.ts'
import type { JobReport } from '../../runtime/control/job-report.ts'
import { subtasksOf } from '../../runtime/plan/chaining.ts'
import { planJob } from '../../runtime/front/planned-job.ts'
import { connectKafka } from '../../runtime/connectors/kafka/real/client.ts'
import { kafkaBedMissing, startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import { HeldBack } from '../harness/kafka/committed-lines.ts'
import { referenceTally } from '../harness/kafka/reference-tally.ts'
import { tally } from '../harness/kafka/topic-tally.ts'
import type { Tally } from '../harness/kafka/topic-tally.ts'
import { until } from '../harness/until.ts'

const LONG_MS = 150_000
const why = await kafkaBedMissing()

describe.skipIf(why !== undefined)(
  `a job over a real Kafka with faults${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-faults-'))
    const cleanups: (() => Promise<void> | void)[] = []
    let bed: KafkaBed
    let kafka: Kafka
    let admin: Admin
    let jobs = 0

    beforeAll(async () => {
      bed = await startKafka({ dir: join(dir, 'kafka') })
      kafka = new Kafka({
        clientId: 'independent',
        brokers: [bed.bootstrap],
        logLevel: logLevel.NOTHING,
        retry: { retries: 60, initialRetryTime: 100, maxRetryTime: 1000 },
      })
      admin = kafka.admin()
      await admin.connect()
    })
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    })
    afterAll(async () => {
      await admin?.disconnect()
      await bed?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    interface Running {
      job: LocalJob
      input: string
      output: string
      uid: string
      spec(changes?: Changes): object
    }
    interface Changes {
      replicas?: number
      interval?: string
      sink?: object
      onError?: object
    }

    /** Topics of their own and a job between them: Kafka → map → keyed → Kafka, exactly once. */
    async function startJob(changes: Changes = {}): Promise<Running> {
      const number = ++jobs
      const [input, output, uid] = [`in${number}`, `out${number}`, `faults-${number}`]
      await admin.createTopics({
        topics: [
          { topic: input, numPartitions: 2 },
          { topic: output, numPartitions: 2 },
        ],
        waitForLeaders: true,
      })
      const spec = (more: Changes = {}): object => {
        const { replicas = 2, interval = '500ms', sink = {}, onError } = { ...changes, ...more }
        return {
          replicas,
          checkpoints: { interval, store: join(dir, uid) },
          graph: [
            {
              id: 'in',
              source: { kafka: { brokers: bed.bootstrap, topic: input, format: 'json', partitionDiscovery: '500ms' } },
              schema: { n: 'long' },
              ...(onError ? { onError } : {}),
            },
            { id: 'twice', from: 'in', map: { n: 'n', twice: 'n * 2' } },
            { id: 'out', from: 'twice', sink: { kafka: { brokers: bed.bootstrap, topic: output, ...sink } } },
          ],
        }
      }
      const job = new LocalJob({
        name: uid,
        uid,
        token: 'token',
        store: join(dir, uid),
        baseDir: dir,
        logLevel: 'silent',
      })
      cleanups.push(() => job.close())
      await job.start(placesOf(spec()))
      await job.setTarget({ revision: '1', spec: spec(), desiredState: 'running' })
      return { job, input, output, uid, spec }
    }

    const placesOf = (spec: object) => subtasksOf(planJob(spec, builtinConnectors).plan)

    function reportWith({ job }: Running, what: string, matches: (report: JobReport) => boolean): Promise<JobReport> {
      let last: JobReport | undefined
      return until(
        `the job is ${what}`,
        async () => {
          last = (await job.report()) ?? last
          return last && matches(last) ? last : undefined
        },
        LONG_MS,
      ).catch((cause: unknown) => {
        throw new Error(`the job never was ${what}; last report ${JSON.stringify(last)}`, { cause })
      })
    }

    /** Writes 0, 1, 2, … in batches until stopped, whatever the broker does; what arrived is read from the topic. */
    function flood(topic: string): { stop(): Promise<number> } {
      let stopping = false
      const done = (async () => {
        const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
        await producer.connect()
        let n = 0
        for (; !stopping; n += 50) {
          await producer.send({ topic, messages: Array.from({ length: 50 }, (_, i) => ({ value: `{"n":${n + i}}` })) })
          await new Promise((resolve) => {
            setTimeout(resolve, 10)
          })
        }
        await producer.disconnect()
        return n
      })()
      const stop = (): Promise<number> => {
        stopping = true
        return done
      }
      cleanups.push(async () => {
        await stop()
      })
      return { stop }
    }

    async function produce(topic: string, messages: Message[]): Promise<void> {
      const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      await producer.send({ topic, messages })
      await producer.disconnect()
    }

    /** Everything that stands in the input stands in the output, as often; nothing is left open. */
    async function expectExact(running: Running): Promise<void> {
      const wanted = await tally(kafka, running.input)
      let most = 0
      const hasAll = (tallied: Tally): boolean => {
        most = Math.max(most, tallied.size)
        return tallied.size >= wanted.size
      }
      const seen = await orTell(
        running,
        () => `${most} of ${wanted.size} have come out`,
        tally(kafka, running.output, hasAll, () => suspend(running)),
      )
      expect(differences(wanted, seen)).toEqual([])
      expect(await openTransactions(running)).toEqual([])
    }

    /** As `expectExact` where aborted transactions overlap, which kafkajs does not read rightly. */
    async function expectExactByReference(running: Running): Promise<void> {
      const wanted = await tally(kafka, running.input)
      const hasComeOut = async (): Promise<boolean> =>
        (await referenceTally(kafka, bed.bootstrap, running.output)).size >= wanted.size
      const notYet = (error: unknown): boolean => {
        if (error instanceof HeldBack) return false
        throw error
      }
      await orTell(
        running,
        () => 'not all has come out',
        until('everything has come out', async () => ((await hasComeOut().catch(notYet)) ? true : undefined), LONG_MS),
      )
      await suspend(running)
      expect(await openTransactions(running)).toEqual([])
      expect(differences(wanted, await referenceTally(kafka, bed.bootstrap, running.output))).toEqual([])
    }

    async function suspend(running: Running): Promise<void> {
      const { revision } = (await running.job.report()) ?? {}
      const spec = running.spec(lastChanges.get(running) ?? {})
      await running.job.setTarget({ revision: revision ?? '1', spec, desiredState: 'suspended' })
      await reportWith(running, 'suspended', ({ phase }) => phase === 'suspended')
    }

    const lastChanges = new Map<Running, Changes>()
    async function change(running: Running, revision: string, changes: Changes): Promise<void> {
      lastChanges.set(running, changes)
      await running.job.setTarget({ revision, spec: running.spec(changes), desiredState: 'running' })
    }

    async function transactions({ uid }: Running): Promise<{ transactionalId: string; state: string }[]> {
      const client = connectKafka({ brokers: [bed.bootstrap], clientId: 'watch' })
      const all = await client.listTransactions()
      await client.close()
      return all.filter(({ transactionalId }) => transactionalId.startsWith(`millrace-${uid}-`))
    }

    async function openTransactions(running: Running): Promise<string[]> {
      return (await transactions(running))
        .filter(({ state }) => state === 'Ongoing')
        .map(({ transactionalId }) => transactionalId)
    }

    /**
     * Right after a commit. A Kafka 4.3.1 that is alone, and is killed when it has noted that a transaction is to
     * be committed and has written no marker yet, notes when it starts that it is, without any: who reads what is
     * committed then waits for ever.
     */
    async function killBetweenCommits(running: Running): Promise<void> {
      /** One transaction of each slot is open and all others are committed: their ids; else undefined. */
      const openOnes = async (): Promise<string | undefined> => {
        const all = await transactions(running)
        const open = all.filter(({ state }) => state === 'Ongoing').map(({ transactionalId }) => transactionalId)
        return open.length === 2 && all.every(({ state }) => state === 'Ongoing' || state.startsWith('Complete'))
          ? open.sort().join()
          : undefined
      }
      const before = await until('only what is written is open', openOnes)
      await until('the next is', async () => {
        const now = await openOnes()
        return now === undefined || now === before ? undefined : now
      })
      await bed.kill()
    }

    /** What was waited for; in vain, an error with how things stood. */
    async function orTell<T>(running: Running, how: () => string, waiting: Promise<T>): Promise<T> {
      const late = Promise.withResolvers<never>()
      const timer = setTimeout(() => {
        late.reject(new Error(`nothing after ${LONG_MS} ms`))
      }, LONG_MS)
      try {
        return await Promise.race([waiting, late.promise])
      } catch (cause) {
        throw new Error(
          `${how()}; report ${JSON.stringify(await running.job.report())}; transactions ${JSON.stringify(await transactions(running))}`,
          { cause },
        )
      } finally {
        clearTimeout(timer)
      }
    }

    test('when the broker is killed twice while records flow, each comes out once, and the report said what was away', async () => {
      const running = await startJob({ interval: '2s' })
      const producing = flood(running.input)
      const flows = (report: JobReport, attempt: number): boolean =>
        report.phase === 'running' &&
        report.attempt >= attempt &&
        report.recordsOut > 500 &&
        (report.checkpoint?.id ?? 0) > 1
      await reportWith(running, 'flowing', (report) => flows(report, 1))
      await killBetweenCommits(running)
      const away = await reportWith(
        running,
        'in trouble',
        ({ error }) => error?.code === 'KAFKA_UNREACHABLE' || (error?.message.includes(bed.bootstrap) ?? false),
      )
      expect(away.error?.message).toContain(bed.bootstrap)
      await bed.restart()
      const back = await reportWith(running, 'flowing again', (report) => report.error === null && flows(report, 1))
      await killBetweenCommits(running)
      await bed.restart()
      await reportWith(
        running,
        'checkpointing again',
        ({ checkpoint, error }) => error === null && (checkpoint?.id ?? 0) > (back.checkpoint?.id ?? 0) + 2,
      )
      expect(await producing.stop()).toBeGreaterThan(500)
      await expectExact(running)
    })

    test('when the topic gets partitions while the job runs, their records come out without a new attempt', async () => {
      const running = await startJob()
      await produce(
        running.input,
        [0, 1].map((partition) => ({ partition, value: `{"n":${partition}}` })),
      )
      await reportWith(running, 'flowing', ({ recordsOut, restarts }) => recordsOut >= 2 || restarts > 0)
      await admin.createPartitions({ topicPartitions: [{ topic: running.input, count: 5 }] })
      await until('all have leaders', async () => {
        const {
          topics: [described],
        } = await admin.fetchTopicMetadata({ topics: [running.input] })
        return described?.partitions.length === 5 && described.partitions.every(({ leader }) => leader >= 0)
          ? true
          : undefined
      })
      await produce(
        running.input,
        Array.from({ length: 1000 }, (_, i) => ({ partition: i % 5, value: `{"n":${2 + i}}` })),
      )
      const report = await reportWith(
        running,
        'through',
        ({ recordsOut, restarts }) => recordsOut >= 1002 || restarts > 0,
      )
      expect({ attempt: report.attempt, restarts: report.restarts }).toEqual({ attempt: 1, restarts: 0 })
      await expectExact(running)
    })

    test('when a transaction of many fetches is aborted, nothing of it comes out, and all around it does', async () => {
      const running = await startJob()
      const producer = kafka.producer({
        transactionalId: `writer-${running.uid}`,
        idempotent: true,
        maxInFlightRequests: 1,
      })
      await producer.connect()
      for (const [from, outcome] of [
        [0, 'commit'],
        [100_000, 'abort'],
        [1000, 'commit'],
        [200_000, 'abort'],
        [2000, 'commit'],
      ] as const) {
        const transaction = await producer.transaction()
        // An aborted one is 8 MB in two partitions; a fetch brings 1 MB of each.
        for (let batch = 0; batch < (outcome === 'abort' ? 16 : 1); batch++) {
          const filler = outcome === 'abort' ? 'x'.repeat(1000) : ''
          await transaction.send({
            topic: running.input,
            messages: Array.from({ length: 500 }, (_, i) => ({
              value: JSON.stringify({ n: from + batch * 500 + i, filler }),
            })),
          })
        }
        await transaction[outcome]()
      }
      await producer.disconnect()
      await reportWith(running, 'through', ({ recordsOut }) => recordsOut >= 1500)
      await expectExact(running)
    })

    test('when checkpoints take longer than transactionTimeout, the error says so, and a change of the job loses nothing', async () => {
      const running = await startJob({ interval: '1h', sink: { transactionTimeout: '2s' } })
      const producing = flood(running.input)
      const { error } = await reportWith(running, 'fenced', (report) => report.error?.code === 'KAFKA_PRODUCER_FENCED')
      expect(error?.message).toMatch(/out\d+/)
      expect(error?.message).toContain('transactionTimeout')
      await change(running, '2', { interval: '300ms', sink: { transactionTimeout: '1m' } })
      await reportWith(
        running,
        'checkpointing',
        ({ revision, checkpoint }) => revision === '2' && (checkpoint?.id ?? 0) > 2,
      )
      await producing.stop()
      await expectExactByReference(running)
    })

    test('when a topic is deleted, the report names it and the broker; made anew, its records are not taken for the old ones', async () => {
      const running = await startJob()
      const producing = flood(running.input)
      await reportWith(
        running,
        'flowing',
        ({ recordsOut, checkpoint }) => recordsOut > 500 && (checkpoint?.id ?? 0) > 1,
      )
      await producing.stop()
      await admin.deleteTopics({ topics: [running.input] })
      const { error } = await reportWith(
        running,
        'without its topic',
        (report) => report.error?.code === 'KAFKA_TOPIC_UNKNOWN',
      )
      expect(error?.message).toContain(`"${running.input}"`)
      expect(error?.message).toContain(bed.bootstrap)
      await admin.createTopics({ topics: [{ topic: running.input, numPartitions: 2 }], waitForLeaders: true })
      const again = await reportWith(
        running,
        'refusing the new topic',
        (report) => report.error?.code === 'KAFKA_TOPIC_REPLACED',
      )
      expect(again.error?.message).toContain(running.input)
    })

    test('when the topic of a sink is deleted, the report names it, and once it is there again the job goes on', async () => {
      const running = await startJob()
      const producing = flood(running.input)
      const { checkpoint } = await reportWith(
        running,
        'flowing',
        (report) => report.recordsOut > 500 && (report.checkpoint?.id ?? 0) > 1,
      )
      await admin.deleteTopics({ topics: [running.output] })
      const { error } = await reportWith(
        running,
        'without its topic',
        (report) => report.error?.code === 'KAFKA_TOPIC_UNKNOWN',
      )
      expect(error?.message).toContain(`"${running.output}"`)
      await admin.createTopics({ topics: [{ topic: running.output, numPartitions: 2 }], waitForLeaders: true })
      await reportWith(
        running,
        'checkpointing again',
        (report) =>
          report.phase === 'running' &&
          report.error === null &&
          (report.checkpoint?.id ?? 0) > (checkpoint?.id ?? 0) + 3,
      )
      await producing.stop()
    })

    test.each([
      ['what it had open is fenced', 'while records flow'],
      ['having nothing open, it opens nothing to stay', 'between records'],
    ] as const)(
      'when a worker that was given up wakes, %s, and its records come out once, from others',
      async (_, asleep) => {
        const running = await startJob()
        let producing = flood(running.input)
        const { checkpoint: flowing } = await reportWith(
          running,
          'flowing',
          ({ recordsOut, checkpoint }) => recordsOut > 500 && (checkpoint?.id ?? 0) > 1,
        )
        if (asleep === 'between records') {
          await producing.stop()
          await reportWith(
            running,
            'past the last record',
            (report) => (report.checkpoint?.id ?? 0) > (flowing?.id ?? 0) + 2,
          )
          await until('nothing is open', async () =>
            (await openTransactions(running)).length === 0 ? true : undefined,
          )
        }
        const sleeper = running.job.processes.get('in-1')
        sleeper?.kill('SIGSTOP')
        await reportWith(running, 'without the worker', ({ registeredWorkers }) => !registeredWorkers.includes('in-1'))
        await change(running, 'one', { replicas: 1 })
        await producing.stop()
        producing = flood(running.input)
        const { checkpoint: first } = await reportWith(
          running,
          'past a checkpoint without it',
          (report) => report.revision === 'one' && report.checkpoint?.attempt === report.attempt,
        )
        const { checkpoint, attempt } = await reportWith(
          running,
          'past another, so that older attempts are fenced',
          (report) => (report.checkpoint?.id ?? 0) > (first?.id ?? 0),
        )
        sleeper?.kill('SIGCONT')
        await reportWith(
          running,
          'past five more with it awake',
          (report) =>
            report.registeredWorkers.includes('in-1') && (report.checkpoint?.id ?? 0) > (checkpoint?.id ?? 0) + 5,
        )
        // As many as fill its batches: what it collects and does not send harms nobody.
        for (let from = 0; from < 40_000; from += 4000)
          await produce(
            running.input,
            Array.from({ length: 4000 }, (_, i) => ({ partition: 1, value: `{"n":${1_000_000 + from + i}}` })),
          )
        expect((await running.job.report())?.attempt).toBe(attempt)
        await producing.stop()
        await expectExactByReference(running)
      },
    )

    test('when workers are killed while bad records come in, each is a dead letter at least once, and the good ones come out once', async () => {
      const letters = 'letters'
      await admin.createTopics({ topics: [{ topic: letters, numPartitions: 2 }], waitForLeaders: true })
      const running = await startJob({ onError: { deadLetter: { kafka: { brokers: bed.bootstrap, topic: letters } } } })
      for (let round = 0; round < 4; round++) {
        await produce(
          running.input,
          Array.from({ length: 1000 }, (_, i) => ({
            partition: i % 2,
            value: i % 20 < 2 ? '{"n":null}' : `{"n":${round * 1000 + i}}`,
          })),
        )
        const { attempt } = await reportWith(
          running,
          `past round ${round}`,
          ({ phase, recordsIn }) => phase === 'running' && recordsIn > 0,
        )
        if (round === 3) break
        running.job.processes.get(`in-${round % 2}`)?.kill('SIGKILL')
        await reportWith(running, 'running again', (report) => report.phase === 'running' && report.attempt > attempt)
      }
      await expectExactByReference(running)
      // At 2000 stands the end record, written to read the input back.
      const places = (await keysOf(letters)).filter((place) => !place.endsWith(' offset 2000'))
      expect([...new Set(places)].sort()).toEqual(
        [0, 1]
          .flatMap((partition) =>
            Array.from({ length: 200 }, (_, tenth) => `${running.input}/${partition} offset ${tenth * 10}`),
          )
          .sort(),
      )
    })

    /** The keys of all records of a topic. */
    async function keysOf(topic: string): Promise<string[]> {
      const wanted = (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0)
      const consumer = kafka.consumer({ groupId: `keys-${topic}` })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      const keys: string[] = []
      await consumer.run({
        eachMessage: ({ message }) => {
          keys.push(String(message.key))
          return Promise.resolve()
        },
      })
      await until('all are read', () => (keys.length >= wanted ? true : undefined))
      await consumer.disconnect()
      return keys
    }

    test('when all processes are told to end, no transaction is left open', async () => {
      const running = await startJob({ interval: '1h' })
      const producing = flood(running.input)
      await reportWith(running, 'flowing', ({ recordsOut }) => recordsOut > 500)
      await until('transactions are open', async () =>
        (await openTransactions(running)).length === 2 ? true : undefined,
      )
      await running.job.close()
      expect(await openTransactions(running)).toEqual([])
      await producing.stop()
    })
  },
)

/** Each n that stands in one as often as not in the other. */
function differences(wanted: Tally, seen: Tally): { n: number; wanted: number; seen: number }[] {
  return [...new Set([...wanted.keys(), ...seen.keys()])]
    .map((n) => ({ n, wanted: wanted.get(n) ?? 0, seen: seen.get(n) ?? 0 }))
    .filter((found) => found.wanted !== found.seen)
    .slice(0, 20)
}
