import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePorts } from '../harness/beds/free-port.ts'
import { type KafkaBed, kafkaBedMissing, startKafka } from '../harness/beds/kafka-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { byWebhook, DurableSenders } from '../harness/durable-senders.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { descendantsOf, startMillrace, type StartedMillrace } from '../harness/processes.ts'

const why = await kafkaBedMissing()
const PATIENCE_MS = 120_000
const LONG_MS = 400_000
const TOPIC = 'intake'

describe.skipIf(why !== undefined)(`a log in a topic of Kafka${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-kafka-log-'))
  let bed: KafkaBed
  let admin: Admin

  beforeAll(async () => {
    bed = await startKafka({ dir: join(dir, 'kafka') })
    admin = new Kafka({ brokers: [bed.bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 30 } }).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 3 }], waitForLeaders: true })
  }, LONG_MS)
  afterAll(async () => {
    await admin?.disconnect()
    await bed?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  test(
    'when workers, whole runs and the broker are killed, every record that a webhook has acknowledged comes out, and deduplicated by its id once',
    async () => {
      const [port = 0] = await freePorts(1)
      const [all, once] = [join(dir, 'all'), join(dir, 'once')]
      const log = { kafka: { brokers: bed.bootstrap, topic: TOPIC } }
      const file = new LocalRuns(dir).fileOf(
        [
          { id: 'events', source: { webhook: { port, log } }, schema: { id: 'string' } },
          { id: 'all', from: 'events', sink: { file: { path: all } } },
          { id: 'first', from: 'events', keyBy: 'id', dedupe: { keep: 'first', ttl: '1h' } },
          { id: 'once', from: 'first', sink: { file: { path: once } } },
        ],
        2,
      )
      const senders = new DurableSenders(byWebhook(port))
      const acknowledges = (what: string, millrace: StartedMillrace): Promise<void> => {
        const before = senders.acknowledged.size
        return waitFor(what, PATIENCE_MS, async () => senders.acknowledged.size > before + 200, millrace.stderr)
      }
      let millrace = startMillrace('run', file)
      senders.start(['a', 'b', 'c', 'd'])
      await acknowledges('the first are acknowledged', millrace)
      await waitFor('a checkpoint is complete', PATIENCE_MS, async () => hasCheckpoint(file), millrace.stderr)
      for (let kill = 0; kill < 2; kill++) {
        const workers = descendantsOf(millrace.process.pid ?? 0).filter(({ command }) => command.includes('worker'))
        process.kill(workers[kill % workers.length]?.pid ?? 0, 'SIGKILL')
        await acknowledges('records are acknowledged after a worker was killed', millrace)
        await bed.kill()
        await bed.restart()
        await acknowledges('records are acknowledged after the broker was killed', millrace)
        const id = runIdOf(millrace)
        await killRun(millrace)
        millrace = startMillrace('run', file, '--resume', id)
        await acknowledges('records are acknowledged after the run was killed', millrace)
      }
      await senders.stop()
      const idsIn = (out: string): string[] => linesOf(out).map((line) => (JSON.parse(line) as { id: string }).id)
      await waitFor(
        'all are written',
        PATIENCE_MS,
        async () => new Set(idsIn(once)).size === senders.tries.size && new Set(idsIn(all)).size === senders.tries.size,
        millrace.stderr,
      )
      await waitFor('what was read is deleted', PATIENCE_MS, nothingIsLeft, millrace.stderr)
      await killRun(millrace)
      senders.expectAll(idsIn(all))
      expect(idsIn(once).sort()).toEqual([...senders.acknowledged].sort())
      expect([...senders.tries.values()].some((tries) => tries > 1)).toBe(true)
    },
    LONG_MS,
  )

  /** As another client sees it. */
  async function nothingIsLeft(): Promise<boolean> {
    const partitions = await admin.fetchTopicOffsets(TOPIC)
    return partitions.every(({ low, high }) => low === high) && partitions.some(({ high }) => high !== '0')
  }
})
