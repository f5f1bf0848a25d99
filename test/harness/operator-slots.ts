import { compileKeyGrouper } from '../../runtime/codegen/keys/key-grouper.ts'
import { fieldsOf, type Row } from '../../runtime/model/schema.ts'
import type { SnapshotExtent } from '../../runtime/model/snapshot.ts'
import type { Timestamp } from '../../runtime/model/time.ts'
import type { JobGraph } from '../../runtime/graph/job-graph.ts'
import { keyGroupsOfSlot, slotOfKeyGroup } from '../../runtime/plan/key-groups.ts'
import { ManualClock } from './manual-clock.ts'
import { OperatorBed, type BedOptions } from './operator-bed.ts'
import { Uploads } from './uploads.ts'

/**
 * A keyed operator of one input in several slots, each with the key groups it owns; rescaled by snapshot and
 * restore.
 */
export class OperatorSlots {
  readonly clock = new ManualClock(0)
  beds: OperatorBed[] = []
  #uploads: Uploads<undefined>[] = []
  readonly #graph: JobGraph
  readonly #id: string
  readonly #options: Pick<BedOptions, 'modules'>
  readonly #groupOf: (row: Row) => number
  /** The keys of a pattern have what they have matched so far, which is counted when it is written. */
  readonly #sizes: 'known' | 'estimated'

  constructor(graph: JobGraph, id: string, parallelism: number, options: Pick<BedOptions, 'modules'> = {}) {
    this.#graph = graph
    this.#id = id
    this.#options = options
    const node = graph.operators.find((operator) => operator.id === id)
    const input = graph.operators.find((operator) => operator.id === node?.from[0])
    if (node === undefined || input === undefined) throw new Error(`there is no operator ${id} with an input`)
    this.#sizes = node.verb.kind === 'pattern' ? 'estimated' : 'known'
    const grouper = compileKeyGrouper(fieldsOf(input.schema, node.keyBy ?? []), graph.maxParallelism)
    const groups = new Uint16Array(1)
    this.#groupOf = (row) => {
      grouper([row], 1, groups)
      return groups[0] ?? 0
    }
    this.#start(parallelism)
  }

  #start(parallelism: number): void {
    this.beds = Array.from(
      { length: parallelism },
      (_, slot) => new OperatorBed(this.#graph, this.#id, { ...this.#options, clock: this.clock, slot, parallelism }),
    )
    this.#uploads = this.beds.map(() => new Uploads(this.#sizes))
  }

  /** Begins a checkpoint, which `read` goes on with. */
  async freeze(extent: SnapshotExtent): Promise<void> {
    for (const [slot, { stage }] of this.beds.entries()) {
      await stage.drain?.()
      const frozen = stage.state?.freeze(extent)
      if (frozen === undefined) throw new Error(`${this.#id} keeps nothing`)
      this.#uploads[slot]?.add(frozen, undefined)
    }
  }

  /** Reads so many blocks of what is frozen. */
  read(blocks: number): void {
    for (const uploads of this.#uploads) for (let block = 0; block < blocks && uploads.step(); block++);
  }

  /** What is being read is not written. */
  fail(): void {
    for (const uploads of this.#uploads) uploads.fail()
  }

  get writtenBytes(): number {
    return this.#uploads.reduce((sum, uploads) => sum + uploads.writtenBytes, 0)
  }

  /** How many files the last checkpoint that was written has. */
  get files(): number {
    return this.#uploads.reduce((sum, uploads) => sum + (uploads.done.at(-1)?.files.length ?? 0), 0)
  }

  async process(rows: readonly Row[]): Promise<void> {
    for (const [slot, bed] of this.beds.entries()) {
      const mine = rows.filter(
        (row) => slotOfKeyGroup(this.#groupOf(row), this.#graph.maxParallelism, this.beds.length) === slot,
      )
      if (mine.length > 0) await bed.process(mine)
    }
  }

  async watermark(time: Timestamp): Promise<void> {
    for (const bed of this.beds) await bed.watermark(time)
  }

  /** Moves the clock and runs what it has brought. */
  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms)
    await this.runMails()
  }

  async runMails(): Promise<void> {
    for (const bed of this.beds) await bed.runMails()
  }

  /** From a checkpoint that is read while `meanwhile` goes on in the slots that end, to no effect. */
  async rescale(
    parallelism: number,
    extent: SnapshotExtent = 'whole',
    meanwhile: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    for (const bed of this.beds) await bed.stage.drain?.()
    await this.freeze(extent)
    const rows = this.take()
    const sides = this.#sides().map((name) => [name, this.takeSide(name)] as const)
    await meanwhile()
    this.read(Infinity)
    const state = this.#uploads.flatMap((uploads) => uploads.blocks(uploads.done.at(-1)?.files ?? []))
    for (const bed of this.beds) await bed.stage.close?.()
    this.#start(parallelism)
    for (const [slot, bed] of this.beds.entries()) {
      const { first, endExclusive } = keyGroupsOfSlot(slot, this.#graph.maxParallelism, parallelism)
      for (const [group, bytes] of state)
        if (group >= first && group < endExclusive) bed.stage.state?.restore(group, asRead(bytes))
      bed.stage.state?.restored?.()
    }
    this.beds[0]?.out.rows.push(...rows)
    for (const [name, of] of sides) this.beds[0]?.side(name).rows.push(...of)
  }

  #sides(): string[] {
    return [...new Set(this.beds.flatMap((bed) => [...bed.sides.keys()]))]
  }

  /** What has come out since the last call. */
  take(): Row[] {
    return this.beds.flatMap((bed) => bed.out.rows.splice(0))
  }

  takeSide(name: string): Row[] {
    return this.beds.flatMap((bed) => bed.side(name).rows.splice(0))
  }

  errors(): string[] {
    return this.beds.flatMap((bed) => bed.errors.map(({ error }) => error.message))
  }

  size(): number {
    return this.beds.reduce((sum, bed) => sum + (bed.stage.state?.size() ?? 0), 0)
  }
}

/** Bytes as a store gives them: a Buffer somewhere in a larger one. */
function asRead(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([new Uint8Array(3), bytes, new Uint8Array(5)]).subarray(3, 3 + bytes.byteLength)
}
