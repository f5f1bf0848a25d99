import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import { readFormat } from '../../runtime/formats/formats.ts'
import { loggedSource } from '../../runtime/connectors/kit/write-ahead-log/logged-source.ts'
import type { KafkaClient } from '../../runtime/connectors/kafka/client.ts'
import { VirtualKafka } from '../../runtime/connectors/kafka/virtual/cluster.ts'
import type { SourceConnector, SourceReader } from '../../runtime/connectors/source.ts'
import type { LogOption } from '../../runtime/connectors/kit/write-ahead-log/log-option.ts'
import type { Intake } from '../../runtime/connectors/kit/write-ahead-log/reception.ts'
import type { Schema } from '../../runtime/model/schema.ts'
import type { Split } from '../../runtime/model/snapshot.ts'
import { sleep, type Clock } from '../../runtime/ports/clock.ts'
import type { Ports } from '../../runtime/ports/ports.ts'
import { VirtualFiles } from '../../runtime/ports/virtual/files.ts'
import { VirtualWorld } from '../../runtime/ports/virtual/world.ts'
import { quietPorts, sourceContext } from './source-context.ts'

const SCHEMA: Schema = { fields: [{ name: 'id', type: 'string', nullable: false }] }
const ROWS = compileRowClass(SCHEMA)

const IN_A_FOLDER: LogOption = { kind: 'folder', path: '/log', maxBytes: 4096, onLoss: 'fail' }

/** In two partitions. */
export const IN_A_TOPIC: LogOption = {
  kind: 'topic',
  brokers: ['kafka:9092'],
  security: { tls: false },
  topic: 'log',
  maxRecordBytes: 1000,
  maxBytes: 4096,
  deletes: true,
}

interface Slot {
  readonly owner: string
  readonly reader: SourceReader
  intake: Intake | undefined
  /** What was reported of it last. */
  trouble: Error | null
  /** Rows since the last checkpoint. */
  pending: string[]
}

/**
 * A job with one source that keeps a write-ahead log, under virtual time: attempts come and go, processes die or go on
 * as if nothing had happened, the power fails. Output counts once the checkpoint that covers it is complete.
 */
export class LogWorld {
  readonly world: VirtualWorld
  readonly files: VirtualFiles
  readonly output: string[] = []
  readonly kafka = new VirtualKafka()
  readonly option: LogOption
  readonly clock: Clock
  readonly #clients: Ports['files']
  slots: Slot[] = []
  /** Processes of earlier attempts that do not know it yet. */
  zombies: Slot[] = []
  #known: readonly Split[] = []
  #attempt = 0

  constructor(seed: number, option: LogOption = IN_A_FOLDER) {
    this.option = option
    if (option.kind === 'topic') this.kafka.createTopic(option.topic, 2)
    this.world = new VirtualWorld(seed)
    this.files = new VirtualFiles(this.world)
    this.clock = this.world.clockOf('job')
    this.#clients = this.files.filesOf('job')
  }

  /** All entries of the log that a plain look at the files finds. */
  get paths(): string[] {
    return [...this.files.contents.keys()].sort()
  }

  /** A new attempt from the last checkpoint; what ran is over, whether it knows it or not. */
  async start(parallelism: number): Promise<void> {
    this.#attempt += 1
    const context = this.#context('job', this.#clients)
    const enumerator = this.#source('job', () => undefined).enumerator(context)
    const splits = await enumerator.discover(this.#known, parallelism, this.#attempt)
    await enumerator.close()
    this.slots = await Promise.all(
      Array.from({ length: parallelism }, async (_, slot) => {
        const owner = `attempt-${this.#attempt}-${slot}`
        const one: Slot = {
          owner,
          reader: this.#reader(owner, slot, () => one),
          intake: undefined,
          trouble: null,
          pending: [],
        }
        await one.reader.open(splits.filter((_, index) => index % parallelism === slot))
        return one
      }),
    )
    // their receivers open in the background
    while (this.slots.some(({ intake }) => intake === undefined)) await sleep(this.clock, 1)
  }

  /** `leave`: the processes go on. `kill`: they are gone. `cutPower`: so is what they had not flushed. */
  end(how: 'leave' | 'kill' | 'cutPower'): void {
    if (how === 'leave') this.zombies.push(...this.slots)
    else for (const { owner } of [...this.slots, ...this.zombies]) this.world.kill(owner)
    if (how !== 'leave') this.zombies = []
    if (how === 'cutPower') this.files.cutPower((unflushed) => Math.floor(this.world.random() * (unflushed + 1)))
    this.slots = []
  }

  /** Every slot emits what it can for a moment. Rejects as a reader does. */
  async poll(polls: number): Promise<void> {
    await Promise.all(
      this.slots.map(async ({ reader, pending }) => {
        for (let poll = 0; poll < polls; poll++) {
          const batch = await reader.poll(3)
          if (batch !== undefined) pending.push(...batch.batch.rows().map(({ id }) => String(id)))
        }
      }),
    )
  }

  /** `announce`: the readers are told of it. */
  async checkpoint(announce: boolean): Promise<void> {
    const splits = this.slots.map(({ reader }) => JSON.parse(JSON.stringify(reader.snapshot())) as Split[])
    this.output.push(...this.slots.flatMap(({ pending }) => pending.splice(0)))
    this.#known = splits.flat()
    if (!announce) return
    await Promise.all(this.slots.map(({ reader }, slot) => reader.notifyCheckpointComplete?.(splits[slot] ?? [])))
  }

  #reader(owner: string, slot: number, one: () => Slot): SourceReader {
    const context = {
      ...this.#context(owner, this.files.filesOf(owner)),
      slot,
      parallelism: 1,
      reportTrouble: (error: Error | null) => {
        one().trouble = error
      },
    }
    return this.#source(owner, (intake) => {
      one().intake = intake
    }).reader(context, ROWS)
  }

  #source(owner: string, opened: (intake: Intake) => void): SourceConnector {
    return loggedSource(
      { log: this.option, format: readFormat('json').format, metadata: undefined },
      {
        where: 'nowhere',
        connectKafka: (options) => this.#whileAlive(owner, this.kafka.connect(options)),
        open: async (_context, intake) => {
          opened(intake)
          return { close: async () => undefined }
        },
      },
    )
  }

  /** A dead process calls nobody, and hears no answer. */
  #whileAlive(owner: string, client: KafkaClient): KafkaClient {
    const { world } = this
    return new Proxy(client, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return async (...args: unknown[]) => {
          if (world.isDead(owner)) return new Promise(() => undefined)
          // as long as a call of a network takes
          await sleep(world.clockOf(owner), world.random())
          const answer: unknown = await Reflect.apply(member, target, args)
          return world.isDead(owner) ? new Promise(() => undefined) : answer
        }
      },
    })
  }

  #context(owner: string, files: Ports['files']): ReturnType<typeof sourceContext> {
    const ports = { ...quietPorts(), clock: this.world.clockOf(owner), rng: this.world.rngOf(), files }
    return sourceContext({ verb: { connector: 'webhook' }, schema: SCHEMA, baseDir: '/', ports })
  }
}

export function entryOf(id: string): { metadata: string; value: Uint8Array } {
  return { metadata: '', value: Buffer.from(JSON.stringify({ id })) }
}
