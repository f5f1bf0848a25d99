import type { Committable, SinkWriter } from '../../../runtime/connectors/sink.ts'
import { declaration, sinkOptions } from '../../../runtime/connectors/databricks/declaration.ts'
import { connector } from '../../../runtime/connectors/databricks/connector.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'
import type { Row, Schema } from '../../../runtime/model/schema.ts'
import { RowBatch, type Batch } from '../../../runtime/memory/batch.ts'
import { jumpingClock } from '../kafka/jumping-clock.ts'
import { sinkContext } from '../sink-context.ts'
import { TOKEN, WAREHOUSE, type FakeDatabricks, type Mishap } from './fake-databricks.ts'

export const SINK_NAME = declaration.name
export const TABLE = 'main.sales.orders'
export const SCHEMA: Schema = {
  fields: [
    { name: 'k', type: 'long', nullable: false },
    { name: 'v', type: 'long', nullable: true },
    { name: 'gone', type: 'boolean', nullable: true },
  ],
}
export const OPTIONS = {
  url: 'http://localhost:1',
  auth: { tokenFile: '/secrets/token' },
  warehouse: WAREHOUSE,
  table: TABLE,
  volume: '/Volumes/main/sales/stage/job',
  compression: 'none',
}
export const UPSERT = { ...OPTIONS, mode: 'upsert', key: ['k'], tombstone: 'gone' }

/** Secrets in memory, by the paths of their files. */
export function secretsOf(files: Readonly<Record<string, string>>) {
  return {
    read: (path: string): Promise<string> =>
      Object.hasOwn(files, path)
        ? Promise.resolve(files[path] ?? '')
        : Promise.reject(Object.assign(new Error(`ENOENT: no such file, open '${path}'`), { code: 'ENOENT' })),
  }
}

export interface WriterParts {
  readonly attempt?: number
  readonly slot?: number
  readonly options?: Readonly<Record<string, unknown>>
  readonly jobUid?: string
  readonly predecessors?: readonly string[]
  readonly stopping?: AbortSignal
  readonly schema?: Schema
}

export function writerOf(fake: FakeDatabricks, parts: WriterParts = {}): SinkWriter {
  const { jobUid = 'job-1', schema = SCHEMA, options = OPTIONS, ...context } = parts
  sinkOptions.read(options)
  const base = sinkContext(jobUid, schema)
  return connector.sink(options).writer({
    ...base,
    ...context,
    ports: {
      ...base.ports,
      clock: jumpingClock(() => fake.isBusy),
      httpClient: fake,
      secretFiles: secretsOf({ '/secrets/token': `${TOKEN}\n` }),
    },
  })
}

/** Several slots of a sink, which share rows and what a checkpoint restores. */
class Slots implements SinkWriter {
  readonly #writers: readonly SinkWriter[]
  /** Which of them prepared what. */
  readonly #owners = new Map<Committable, SinkWriter>()
  #next = 0

  constructor(writers: readonly SinkWriter[]) {
    this.#writers = writers
  }

  /** Not as it was dealt before. */
  async open(recovered: readonly Committable[]): Promise<void> {
    const count = this.#writers.length
    await Promise.all(
      this.#writers.map((writer, slot) => writer.open(recovered.filter((_, at) => (at + 1) % count === slot))),
    )
  }

  async write(batch: Batch): Promise<void> {
    await this.#writers[this.#next++ % this.#writers.length]?.write(batch)
  }

  async prepareCommit(checkpoint: number): Promise<Committable[]> {
    const all: Committable[] = []
    for (const writer of this.#writers)
      for (const one of await writer.prepareCommit(checkpoint)) {
        this.#owners.set(one, writer)
        all.push(one)
      }
    return all
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    await Promise.all(
      this.#writers.map((writer) => writer.commit?.(committables.filter((one) => this.#owners.get(one) === writer))),
    )
  }

  async close(): Promise<void> {
    for (const writer of this.#writers) await writer.close()
  }
}

export const STEPS = [
  'write',
  'checkpoint',
  'checkpoint',
  'checkpoint aborts',
  'forget what is committed',
  'die',
  'die before commit',
  'die behind commit',
  'die before the commit is known',
  'die at a call',
  'die and commit as a zombie',
  'die and commit later',
  'old commits come',
  'lost call',
  'lost answer',
  'late',
  'slow',
  'slow and lost',
  'busy',
  'broken',
] as const
export type Step = (typeof STEPS)[number]

const MISHAPS: ReadonlySet<string> = new Set([
  'lost call',
  'lost answer',
  'late',
  'slow',
  'slow and lost',
  'busy',
  'broken',
] satisfies Mishap[])

/** The newest complete checkpoint, as the log has it. */
interface Saved {
  readonly position: number
  readonly committables: readonly Committable[]
}

class Died extends Error {}

/** A job of a few rows in which whatever can end its attempts does so where `steps` say. */
export class SinkCourse {
  readonly #fake: FakeDatabricks
  readonly #options: Readonly<Record<string, unknown>>
  readonly #rows: readonly Row[]
  readonly #steps: readonly Step[]
  /** Compares the table with what so many rows make of it. */
  readonly #check: (rows: number) => void
  readonly #slots: number
  #at = 0
  #committed = 0
  #saved: Saved = { position: 0, committables: [] }
  /** Commits of attempts that are over, under way. */
  readonly #zombies: Promise<void>[] = []
  readonly #waiting: (() => Promise<void>)[] = []

  constructor(
    fake: FakeDatabricks,
    options: Readonly<Record<string, unknown>>,
    rows: readonly Row[],
    steps: readonly Step[],
    check: (rows: number) => void,
    slots = 1,
  ) {
    this.#fake = fake
    this.#options = options
    this.#rows = rows
    this.#steps = steps
    this.#check = check
    this.#slots = slots
  }

  async run(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const stopping = new AbortController()
      this.#fake.onCall = this.#disorder
      const parts = { attempt, options: this.#options, stopping: stopping.signal }
      const slots = Array.from({ length: this.#slots }, (_, slot) => writerOf(this.#fake, { ...parts, slot }))
      const writer = new Slots(slots)
      try {
        await this.#attempt(writer, stopping)
        break
      } catch (error) {
        if (!(error instanceof Died) && !isExpected(error)) throw error
        if (attempt > 200) throw new Error('the job does not end', { cause: error })
      }
    }
    this.#rouse()
    await Promise.all(this.#zombies)
    await this.#fake.settle()
    this.#check(this.#rows.length)
  }

  /** Calls that come at the same time come in any order. */
  readonly #disorder = async (): Promise<void> => {
    const turns = (this.#fake.calls.length * 7 + this.#at * 13) % 5
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  async #attempt(writer: SinkWriter, stopping: AbortController): Promise<void> {
    await writer.open(this.#saved.committables)
    let { position } = this.#saved
    this.#committed = position
    this.#check(position)
    let carried: Committable[] = []
    for (;;) {
      const step = this.#steps[this.#at++] ?? 'checkpoint'
      this.#prepareMishap(step, stopping)
      if (step === 'die') throw new Died()
      if (position < this.#rows.length) {
        await writer.write(new RowBatch(this.#rows.slice(position, position + 2)))
        position = Math.min(position + 2, this.#rows.length)
      }
      if (step === 'write' && position < this.#rows.length) continue
      carried = [...carried, ...(await writer.prepareCommit(this.#at))]
      if (step === 'checkpoint aborts') continue
      this.#saved = { position, committables: carried }
      await this.#commit(writer, carried, step)
      if (position >= this.#rows.length && step !== 'die behind commit') return await writer.close()
      carried = []
      // what is known to be committed is not restored
      if (step === 'forget what is committed' || step === 'die behind commit')
        this.#saved = { position, committables: [] }
      if (step === 'die behind commit') throw new Died()
    }
  }

  async #commit(writer: SinkWriter, carried: readonly Committable[], step: Step): Promise<void> {
    const commit = async (): Promise<void> => {
      await writer.commit?.(carried)
    }
    const ignore = (error: unknown): void => {
      if (!isExpected(error)) throw error
    }
    if (step === 'die before commit') throw new Died()
    if (step === 'die and commit as a zombie') {
      this.#zombies.push(commit().catch(ignore))
      throw new Died()
    }
    if (step === 'die and commit later') {
      this.#waiting.push(() => commit().catch(ignore))
      throw new Died()
    }
    // whatever came late since the last commit changed nothing
    this.#check(this.#committed)
    await commit()
    this.#committed = this.#saved.position
    this.#check(this.#committed)
    if (step === 'die before the commit is known') throw new Died()
  }

  #prepareMishap(step: Step, stopping: AbortController): void {
    if (MISHAPS.has(step)) {
      const calls = this.#at % 6
      if (calls % 2 === 0) this.#fake.statementMishaps.push(step as Mishap)
      else this.#fake.mishaps.push(...Array.from({ length: calls }, () => undefined), step as Mishap)
    }
    if (step === 'old commits come') this.#rouse()
    if (step !== 'die at a call') return
    let calls = this.#at % 9
    this.#fake.onCall = async () => {
      if (calls-- === 0) stopping.abort()
      await this.#disorder()
    }
  }

  #rouse(): void {
    for (const commit of this.#waiting.splice(0)) this.#zombies.push(commit())
  }
}

/** What ends an attempt, and is repeated by the next one. */
function isExpected(error: unknown): boolean {
  if (error instanceof Error && error.name === 'AbortError') return true
  return error instanceof MillraceError && (error.code.startsWith('DATABRICKS_') || error.code === 'SINK_FENCED')
}
