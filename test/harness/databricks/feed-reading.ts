import { compileRowClass } from '../../../runtime/codegen/rows/row.ts'
import { connector } from '../../../runtime/connectors/databricks/connector.ts'
import type { SourceReader, Split } from '../../../runtime/connectors/source.ts'
import { membersOf } from '../../../runtime/model/fields.ts'
import type { Row, Schema } from '../../../runtime/model/schema.ts'
import { sleep } from '../../../runtime/ports/clock.ts'
import { jumpingClock } from '../kafka/jumping-clock.ts'
import { quietPorts, sourceContext } from '../source-context.ts'
import { TOKEN, type FakeDatabricks } from './fake-databricks.ts'
import { OPTIONS, secretsOf, TABLE } from './sink-courses.ts'

const { volume: _volume, compression: _compression, ...CONNECTION } = OPTIONS
export const SOURCE = CONNECTION
export const FEED = { ...SOURCE, continuous: { every: '1s' } }

/** One attempt of a source after the other, each of which continues where the last one stood. */
export class FeedReading {
  readonly bad: { where: string; reason: string }[]
  readonly #fake: FakeDatabricks
  readonly #schema: Schema
  readonly #options: Readonly<Record<string, unknown>>
  readonly #context: ReturnType<typeof sourceContext>
  #splits: readonly Split[] = []
  #reader: SourceReader | undefined

  constructor(fake: FakeDatabricks, schema: Schema, options: Readonly<Record<string, unknown>>) {
    this.#fake = fake
    this.#schema = schema
    this.#options = options
    this.#context = sourceContext({ verb: { connector: 'databricks' }, schema, baseDir: '.' })
    this.#context.ports = {
      ...quietPorts(),
      clock: jumpingClock(() => fake.isBusy),
      httpClient: fake,
      secretFiles: secretsOf({ '/secrets/token': TOKEN }),
    }
    this.#context.reportTrouble = () => undefined
    this.bad = this.#context.bad
  }

  get splits(): readonly Split[] {
    return this.#splits
  }

  get isFinished(): boolean {
    return this.#reader?.isFinished() === true
  }

  /** Another attempt, from what the last checkpoint has or from other splits, which may be of other options. */
  async restart(
    splits: readonly Split[] = this.#splits,
    options = this.#options,
    schema = this.#schema,
  ): Promise<void> {
    await this.#reader?.close()
    const source = connector.source(options)
    const context = { ...this.#context, schema }
    const enumerator = source.enumerator(context)
    this.#splits = await enumerator.discover(JSON.parse(JSON.stringify(splits)) as Split[])
    await enumerator.close()
    this.#reader = source.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(schema))
    await this.#reader.open(this.#splits)
  }

  /** Rows of a poll. */
  async poll(maxRows = 2): Promise<Row[]> {
    const batch = await this.#reader?.poll(maxRows)
    return [...(batch?.batch.rows() ?? [])].map((row) => ({ ...row }))
  }

  checkpoint(): void {
    this.#splits = this.#reader?.snapshot() ?? []
  }

  /** Polls until the source has read the newest version and has looked again for another one, or has finished. */
  async rest(): Promise<Row[]> {
    const rows: Row[] = []
    let polls = 0
    for (let behind = 0; behind < 5 && !this.isFinished; polls++) {
      if (polls > 5000) throw new Error('the source finds no end')
      rows.push(...(await this.poll(100)))
      behind = this.#hasReadAll() ? behind + 1 : 0
      await sleep(this.#context.ports.clock, 1000)
    }
    return rows
  }

  #hasReadAll(): boolean {
    const { unit } = membersOf(this.#reader?.snapshot()[0]?.position)
    const { kind, from, to } = membersOf(unit)
    return kind === 'changes' && to === null && Number(from) > (this.#fake.tables.get(TABLE)?.newest.number ?? 0)
  }
}
