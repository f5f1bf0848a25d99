import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { startKafka, type KafkaBed } from '../beds/kafka-bed.ts'
import { committedLines } from '../kafka/committed-lines.ts'
import { folderOutsideOfBed } from './fault-bed.ts'

const PARTITIONS = 3
const BATCH = 20

/** One real broker for all fault runs of this process, on a disk that is never filled. */
export class KafkaPlace {
  readonly bed: KafkaBed
  readonly #folder: string
  readonly #kafka: Kafka
  #topics = 0

  private constructor(bed: KafkaBed, folder: string) {
    this.bed = bed
    this.#folder = folder
    this.#kafka = new Kafka({
      clientId: 'independent',
      brokers: [bed.bootstrap],
      logLevel: logLevel.NOTHING,
      retry: { retries: 60, initialRetryTime: 100, maxRetryTime: 1000 },
    })
  }

  static async start(): Promise<KafkaPlace> {
    const folder = folderOutsideOfBed()
    return new KafkaPlace(await startKafka({ dir: join(folder, 'kafka') }), folder)
  }

  async topics(): Promise<{ input: string; output: string }> {
    const [input, output] = [`in-${++this.#topics}`, `out-${this.#topics}`]
    const admin = this.#kafka.admin()
    await admin.connect()
    await admin.createTopics({
      topics: [input, output].map((topic) => ({ topic, numPartitions: PARTITIONS })),
      waitForLeaders: true,
    })
    await admin.disconnect()
    return { input, output }
  }

  /**
   * Writes the lines, some at a time so far apart, until told to hurry; resolves with all written, whatever becomes
   * of the broker.
   */
  feed(topic: string, lines: readonly string[], everyMs: number): { hurry(): Promise<void> } {
    let hurried = false
    const write = async (): Promise<void> => {
      const producer = this.#kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      for (let at = 0; at < lines.length; at += BATCH) {
        await producer.send({
          topic,
          messages: lines
            .slice(at, at + BATCH)
            .map((value, index) => ({ value, partition: (at + index) % PARTITIONS })),
        })
        if (!hurried)
          await new Promise((resolve) => {
            setTimeout(resolve, everyMs)
          })
      }
      await producer.disconnect()
    }
    const written = write()
    written.catch(() => undefined) // whoever hurries hears of it
    return {
      hurry: () => {
        hurried = true
        return written
      },
    }
  }

  read(topic: string): Promise<string[]> {
    return committedLines(this.#kafka, this.bed.bootstrap, topic)
  }

  async stop(): Promise<void> {
    await this.bed.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
