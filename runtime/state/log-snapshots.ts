import type { RecordArena } from '../memory/arena/record-arena.ts'
import type { FrozenState, SnapshotExtent } from '../model/snapshot.ts'
import { IncrementalSnapshots, type GrowingLog } from './incremental-snapshots.ts'

/** One log of one key group: what a snapshot is divided into. */
export interface GroupLog {
  group: number
  name: string
  segments: readonly number[]
}

/** A segment only grows at its end, by bytes, and what a barrier has passed does not change. */
interface FrozenSegment extends GrowingLog<number> {
  group: number
  name: string
  segment: number
}

/** Incremental snapshots of logs in an arena: a stretch of a segment is a block. */
export class LogSnapshots {
  readonly #arena: RecordArena
  readonly #block: (log: string, part: Uint8Array) => Uint8Array
  readonly #snapshots = new IncrementalSnapshots<number, FrozenSegment>()
  /** By name of the log, bytes of a block beside its part. */
  readonly #heads = new Map<string, number>()

  /** `block` makes a block of a part of a log. */
  constructor(arena: RecordArena, block: (log: string, part: Uint8Array) => Uint8Array) {
    this.#arena = arena
    this.#block = block
  }

  /** At a barrier: `logs` are all there is, as of now. Takes time by the number of segments, not of their bytes. */
  freeze(logs: readonly GroupLog[], extent: SnapshotExtent): FrozenState {
    const arena = this.#arena
    const freeze = arena.freeze()
    if (extent !== 'whole') arena.prefer(extent === 'appended' ? 'places' : 'room')
    const [ends, serials] = [arena.end.slice(), arena.serial.slice()]
    return this.#snapshots.freeze(
      {
        logs: () =>
          logs.flatMap(({ group, name, segments }) =>
            segments.map((segment) => ({
              group,
              name,
              segment,
              serial: serials[segment] ?? 0,
              end: ends[segment] ?? 0,
            })),
          ),
        bytes: ({ log: { name, end }, from = 0 }) => (end > from ? this.#headOf(name) + end - from : 0),
        blocks: ({ log: { group, name, segment, end }, from = 0 }) => [
          [group, this.#block(name, arena.bytesOf(segment, from, end))],
        ],
        release: () => {
          arena.thaw(freeze)
        },
      },
      extent,
    )
  }

  #headOf(name: string): number {
    const known = this.#heads.get(name)
    if (known !== undefined) return known
    // with room for the digits of a length
    const bytes = this.#block(name, new Uint8Array()).length + 16
    this.#heads.set(name, bytes)
    return bytes
  }
}
