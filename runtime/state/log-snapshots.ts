import type { RecordArena } from '../codegen/records/record-arena.ts'
import { MillraceError } from '../model/errors.ts'
import type { FrozenState, GroupState, SnapshotExtent, StateFile, StateReading } from '../model/snapshot.ts'

/** One log of one key group: what a snapshot is divided into. */
export interface GroupLog { group: number; name: string; segments: readonly number[] }

/** Files of checkpoints are merged when so many of about one size follow each other. */
const MERGED = 8
/** All is written anew when the files it is kept in are this much larger than what they hold. */
const MAX_SPREAD = 2

/** What one checkpoint wrote. Those of a level are merged into one of the next; `Infinity`: it held everything. */
interface Generation { level: number; files: readonly StateFile[] }

/** Where a stretch of a segment lies: up to byte `to`, in a row of a file's table. */
interface Piece { generation: Generation; file: StateFile; row: number; to: number }

interface Stretch { group: number; name: string; segment: number; from: number; to: number }

/**
 * What earlier checkpoints of this process have written of the arena's segments. A segment only grows at its end, and
 * what a barrier has passed does not change, so a stretch that was written holds until its segment is given back; in the
 * order of the files the stretches of a log are in its order. Files are merged in levels as in a log-structured merge
 * tree (O'Neil et al. 1996), always the newest, for that order; it bounds their number by the logarithm of their size.
 */
export class LogSnapshots {
  readonly #arena: RecordArena
  readonly #block: (log: string, part: Uint8Array) => Uint8Array
  #generations: readonly Generation[] = []
  /** By the serial number of the segment, in its order. */
  #pieces: ReadonlyMap<number, readonly Piece[]> = new Map()

  /** `block` makes a block of a part of a log. */
  constructor(arena: RecordArena, block: (log: string, part: Uint8Array) => Uint8Array) {
    this.#arena = arena
    this.#block = block
  }

  /** At a barrier: `logs` are all there is, as of now. Takes time by the number of segments, not of their bytes. */
  freeze(logs: readonly GroupLog[], extent: SnapshotExtent): FrozenState {
    const arena = this.#arena
    const freeze = arena.freeze()
    const [ends, serials] = [arena.end.slice(), arena.serial.slice()]
    const serialOf = (segment: number): number => serials[segment] ?? 0
    let stretches: readonly Stretch[] = []
    let kept = new Map<number, readonly Piece[]>()
    let generations: readonly Generation[] = []
    let level = Infinity
    return {
      read: () => {
        const live = logs.reduce((sum, { segments }) => sum + segments.reduce((of, segment) => of + (ends[segment] ?? 0), 0), 0)
        if (extent === 'changes') ({ generations, level } = this.#toKeep(live))
        kept = this.#piecesIn(logs, serialOf, new Set(generations))
        stretches = logs.flatMap(({ group, name, segments }) => segments.flatMap((segment) => {
          const [from, to] = [kept.get(serialOf(segment))?.at(-1)?.to ?? 0, ends[segment] ?? 0]
          return to > from ? [{ group, name, segment, from, to }] : []
        }))
        return this.#reading(stretches, filesOf(generations, kept))
      },
      release: (files) => {
        arena.thaw(freeze)
        if (files !== undefined && extent === 'changes') this.#record(files, { stretches, kept, generations, level }, serialOf)
      },
    }
  }

  #toKeep(live: number): { generations: readonly Generation[]; level: number } {
    const all = this.#generations
    const written = all.reduce((sum, { files }) => sum + files.reduce((of, { sizeBytes }) => of + sizeBytes, 0), 0)
    if (all.length === 0 || written > live * MAX_SPREAD) return { generations: [], level: Infinity }
    for (let count = all.length, level = 0; ; level++) {
      let first = count
      while (first > 0 && all[first - 1]?.level === level) first--
      if (count - first < MERGED) return { generations: all.slice(0, count), level }
      count = first
    }
  }

  /** Of each segment the pieces that lie in the generations to keep: those from its beginning. */
  #piecesIn(logs: readonly GroupLog[], serialOf: (segment: number) => number, generations: ReadonlySet<Generation>): Map<number, readonly Piece[]> {
    const kept = new Map<number, readonly Piece[]>()
    if (generations.size === 0) return kept
    for (const segment of logs.flatMap(({ segments }) => segments)) {
      const pieces = (this.#pieces.get(serialOf(segment)) ?? []).filter(({ generation }) => generations.has(generation))
      if (pieces.length > 0) kept.set(serialOf(segment), pieces)
    }
    return kept
  }

  #reading(stretches: readonly Stretch[], kept: readonly StateFile[]): StateReading {
    const heads = new Map<string, number>()
    const headOf = (name: string): number => {
      const known = heads.get(name)
      if (known !== undefined) return known
      // with room for the digits of a length
      const bytes = this.#block(name, new Uint8Array()).length + 16
      heads.set(name, bytes)
      return bytes
    }
    return { kept, bytes: stretches.reduce((sum, { name, from, to }) => sum + headOf(name) + to - from, 0), blocks: this.#blocks(stretches) }
  }

  * #blocks(stretches: readonly Stretch[]): Generator<GroupState> {
    for (const { group, name, segment, from, to } of stretches) yield [group, this.#block(name, this.#arena.bytesOf(segment, from, to))]
  }

  #record(
    files: readonly StateFile[], read: { stretches: readonly Stretch[]; kept: ReadonlyMap<number, readonly Piece[]>; generations: readonly Generation[]; level: number },
    serialOf: (segment: number) => number,
  ): void {
    const generation: Generation = { level: read.level, files }
    const places = files.flatMap((file) => file.groups.map((_, row) => ({ file, row })))
    if (places.length !== read.stretches.length) {
      throw new MillraceError('SNAPSHOT_INCOMPLETE', `${read.stretches.length} parts of state were to be written, the files hold ${places.length}`)
    }
    const pieces = new Map(read.kept)
    read.stretches.forEach(({ segment, to }, index) => {
      const serial = serialOf(segment)
      const place = places[index]
      if (place !== undefined) pieces.set(serial, [...pieces.get(serial) ?? [], { generation, ...place, to }])
    })
    const inUse = new Set([...read.kept.values()].flatMap((of) => of.map((piece) => piece.generation)))
    this.#pieces = pieces
    this.#generations = [...read.generations.filter((one) => inUse.has(one)), ...(files.length === 0 ? [] : [generation])]
  }
}

/** The files of generations with the rows of their tables that pieces refer to, without those of which none is left. */
function filesOf(generations: readonly Generation[], kept: ReadonlyMap<number, readonly Piece[]>): StateFile[] {
  const rows = new Map<StateFile, Set<number>>(generations.flatMap(({ files }) => files.map((file) => [file, new Set<number>()] as const)))
  for (const pieces of kept.values()) for (const { file, row } of pieces) rows.get(file)?.add(row)
  return [...rows].flatMap(([file, used]) => (used.size === 0 ? [] : [{ ...file, groups: file.groups.filter((_, row) => used.has(row)) }]))
}
