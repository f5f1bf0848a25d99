import { RowBatch } from '../../runtime/memory/batch.ts'
import { expect } from 'vitest'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import type { SinkConnector, SinkContext, SinkWriter } from '../../runtime/connectors/sink.ts'
import type { ReaderContext, SourceConnector, SourceContext, SourceReader } from '../../runtime/connectors/source.ts'
import type { Row } from '../../runtime/model/schema.ts'
import type { Committable, Split } from '../../runtime/model/snapshot.ts'

/** What every source must keep: nothing lost, nothing twice, wherever it was interrupted and however it is restored. */
export interface SourceUnderTest {
  connector: SourceConnector
  context: SourceContext
  /** Rows per poll; small, so that interruptions fall in many places. */
  maxRows: number
  /** How many interruption points to try; they are spread evenly over the reading. */
  interruptions: number
}

/** Reads everything with one reader; the rows as sorted JSON texts. Fails when that is nothing. */
export async function readAll(source: SourceUnderTest): Promise<string[]> {
  const rows = await readFrom(source, await discover(source, [], 1), 1)
  expect(rows.length).toBeGreaterThan(0)
  return rows.sort()
}

/**
 * Reads some polls with `before` readers, snapshots, drops them (the crash), restores with `after` readers and reads
 * to the end: together that must be exactly what one undisturbed reading gives.
 */
export async function expectExactRestores(source: SourceUnderTest, before: number, after: number): Promise<void> {
  const expected = await readAll(source)
  const polls = Math.ceil(expected.length / source.maxRows) + 1
  const stride = Math.max(1, Math.floor(polls / source.interruptions))
  for (let stop = 0; stop <= polls; stop += stride) {
    const { rows, splits } = await readPart(source, before, stop)
    // A snapshot crosses processes and lands in a manifest as JSON.
    const known = JSON.parse(JSON.stringify(splits)) as Split[]
    const rest = await readFrom(source, await discover(source, known, after), after)
    expect([...rows, ...rest].sort(), `interrupted after ${stop} polls, ${before} → ${after} readers`).toEqual(expected)
  }
}

async function discover(source: SourceUnderTest, known: readonly Split[], parallelism: number): Promise<Split[]> {
  const enumerator = source.connector.enumerator(source.context)
  const splits = await enumerator.discover(known, parallelism)
  await enumerator.close()
  expect(new Set(splits.map((split) => split.id)).size).toBe(splits.length)
  for (const split of known) expect(splits.map((found) => found.id)).toContain(split.id)
  return splits
}

async function openReaders(
  source: SourceUnderTest,
  splits: readonly Split[],
  parallelism: number,
): Promise<SourceReader[]> {
  const readers: SourceReader[] = []
  for (let slot = 0; slot < parallelism; slot++) {
    const context: ReaderContext = { ...source.context, slot, parallelism, host: '127.0.0.1', idle: (until) => until }
    const reader = source.connector.reader(context, compileRowClass(source.context.schema))
    await reader.open(splits.filter((_, index) => index % parallelism === slot))
    readers.push(reader)
  }
  return readers
}

async function readPart(
  source: SourceUnderTest,
  parallelism: number,
  polls: number,
): Promise<{ rows: string[]; splits: Split[] }> {
  const readers = await openReaders(source, await discover(source, [], parallelism), parallelism)
  const rows: string[] = []
  for (let poll = 0; poll < polls; poll++) {
    const reader = readers[poll % readers.length]
    const batch = await reader?.poll(source.maxRows)
    if (batch) rows.push(...batch.batch.rows().map((row) => JSON.stringify(row)))
  }
  const splits = readers.flatMap((reader) => reader.snapshot())
  for (const reader of readers) await reader.close()
  return { rows, splits }
}

async function readFrom(source: SourceUnderTest, splits: readonly Split[], parallelism: number): Promise<string[]> {
  const rows: string[] = []
  for (const reader of await openReaders(source, splits, parallelism)) {
    while (!reader.isFinished()) {
      const batch = await reader.poll(source.maxRows)
      if (!batch) continue
      expect(batch.batch.count).toBeLessThanOrEqual(source.maxRows)
      rows.push(...batch.batch.rows().map((row) => JSON.stringify(row)))
    }
    expect(await reader.poll(source.maxRows)).toBeUndefined()
    await reader.close()
  }
  return rows
}

/** What every exactly-once sink must keep: what a completed checkpoint holds is visible once, all else never. */
export interface SinkUnderTest {
  connector: SinkConnector
  context: Omit<SinkContext, 'slot' | 'attempt'>
  /** Makes the n-th distinct row of the schema. */
  row(n: number): Row
  /** Everything a reader of the outside system sees now (read committed), as texts in any order. */
  visible(): Promise<string[]>
  /** The text under which `visible` shows a row. */
  show(row: Row): string
}

/** Runs all sink scenarios in one outside system; each uses rows of its own. */
export async function expectExactlyOnceSink(sink: SinkUnderTest): Promise<void> {
  const run = new SinkRun(sink)
  await run.commitInTime()
  await run.crashBeforeCommit()
  await run.crashAfterCommit()
  await run.recoverByAnotherParallelism()
  await run.abandonUnprepared()
}

class SinkRun {
  readonly #sink: SinkUnderTest
  readonly #expected: string[] = []
  #attempt = 0
  #checkpoint = 0
  #rows = 0

  constructor(sink: SinkUnderTest) {
    this.#sink = sink
  }

  async commitInTime(): Promise<void> {
    const writer = await this.#open(0, [])
    const first = await this.#write(writer, 5)
    await this.#expectVisible('rows before their checkpoint are invisible')
    const committables = await writer.prepareCommit(++this.#checkpoint)
    await this.#expectVisible('prepared rows are invisible')
    const second = await this.#write(writer, 3)
    await writer.commit?.(committables)
    this.#expected.push(...first)
    await this.#expectVisible('a commit shows its checkpoint and nothing of the next')
    await writer.commit?.(committables)
    await this.#expectVisible('a repeated commit changes nothing')
    await writer.commit?.(await writer.prepareCommit(++this.#checkpoint))
    this.#expected.push(...second)
    await this.#expectVisible('the next checkpoint follows')
    await writer.commit?.(await writer.prepareCommit(++this.#checkpoint))
    await this.#expectVisible('an empty checkpoint shows nothing')
  }

  async crashBeforeCommit(): Promise<void> {
    const crashed = await this.#open(0, [])
    const rows = await this.#write(crashed, 4)
    const committables = manifest(await crashed.prepareCommit(++this.#checkpoint))
    await this.#write(crashed, 2)
    this.#expected.push(...rows)
    await this.#open(0, committables)
    await this.#expectVisible('a recovered checkpoint is visible, what came after it is not')
    await this.#open(0, committables)
    await this.#expectVisible('recovering twice changes nothing')
  }

  async crashAfterCommit(): Promise<void> {
    const crashed = await this.#open(0, [])
    const rows = await this.#write(crashed, 4)
    const committables = manifest(await crashed.prepareCommit(++this.#checkpoint))
    await crashed.commit?.(committables)
    await this.#write(crashed, 2)
    this.#expected.push(...rows)
    const writer = await this.#open(0, committables)
    const again = await this.#write(writer, 2)
    await writer.commit?.(await writer.prepareCommit(++this.#checkpoint))
    this.#expected.push(...again)
    await this.#expectVisible('what was committed before the crash stays once')
    await writer.close()
  }

  async recoverByAnotherParallelism(): Promise<void> {
    const crashed = await this.#openAll([[], []])
    const committables: Committable[] = []
    this.#checkpoint++
    for (const writer of crashed) {
      this.#expected.push(...(await this.#write(writer, 3)))
      committables.push(...manifest(await writer.prepareCommit(this.#checkpoint)))
    }
    // Each takes what the other wrote: a restore deals committables to any writer.
    const [first, ...others] = committables
    const writers = await this.#openAll([others, first === undefined ? [] : [first], []])
    await this.#expectVisible("two writers' output is committed by three others")
    this.#checkpoint++
    for (const writer of writers) {
      this.#expected.push(...(await this.#write(writer, 1)))
      await writer.commit?.(await writer.prepareCommit(this.#checkpoint))
      await writer.close()
    }
    await this.#expectVisible('and they go on')
  }

  async abandonUnprepared(): Promise<void> {
    const crashed = await this.#openAll([[], []])
    for (const writer of crashed) {
      await this.#write(writer, 3)
      await writer.prepareCommit(this.#checkpoint + 1)
      await this.#write(writer, 3)
    }
    const writer = await this.#open(0, [])
    this.#checkpoint++
    this.#expected.push(...(await this.#write(writer, 2)))
    await writer.commit?.(await writer.prepareCommit(this.#checkpoint))
    await this.#expectVisible('output of a checkpoint that never completed is never visible')
    await writer.close()
  }

  async #open(slot: number, recovered: readonly Committable[]): Promise<SinkWriter> {
    this.#attempt++
    return this.#openOne(slot, recovered)
  }

  async #openAll(recovered: readonly (readonly Committable[])[]): Promise<SinkWriter[]> {
    this.#attempt++
    const writers: SinkWriter[] = []
    for (const [slot, committables] of recovered.entries()) writers.push(await this.#openOne(slot, committables))
    return writers
  }

  async #openOne(slot: number, recovered: readonly Committable[]): Promise<SinkWriter> {
    const writer = this.#sink.connector.writer({ ...this.#sink.context, slot, attempt: this.#attempt })
    await writer.open(recovered)
    return writer
  }

  async #write(writer: SinkWriter, count: number): Promise<string[]> {
    const rows = Array.from({ length: count }, () => this.#sink.row(this.#rows++))
    await writer.write(new RowBatch(rows))
    return rows.map((row) => this.#sink.show(row))
  }

  async #expectVisible(fact: string): Promise<void> {
    expect((await this.#sink.visible()).sort(), fact).toEqual([...this.#expected].sort())
  }
}

function manifest(committables: readonly Committable[]): Committable[] {
  return JSON.parse(JSON.stringify(committables)) as Committable[]
}
