import { join } from 'node:path'
import { MillraceError } from '../../../model/errors.ts'
import type { Attempt } from '../../../model/ids.ts'
import type { SourceContext, Split, SplitEnumerator } from '../../source.ts'
import type { SegmentLog } from './log-option.ts'
import {
  decodePosition,
  encodePosition,
  ERA_MARK,
  eraFolder,
  eraOfFile,
  logNameOf,
  newEra,
  segmentFile,
  segmentOfFile,
  splitIdOf,
  type EraState,
  type LogName,
  type LogPosition,
} from './log-place.ts'

/** The position of a log that its reader is to write. */
export const TO_BE_WRITTEN = 'write'

/** Splits of slots that keep what they take in memory. */
const MEMORY = 'memory/'

/** The segments of a log that exist, in order. */
type Segments = readonly number[]

interface Era {
  readonly era: string
  readonly state: EraState
  readonly logs: ReadonlyMap<number, Segments>
}

/** The folder of the logs of one source. */
export function logFolder(
  { job, operatorId, baseDir }: Pick<SourceContext, 'job' | 'operatorId' | 'baseDir'>,
  path: string,
): string {
  return join(path.startsWith('/') ? path : join(baseDir, path), job, operatorId)
}

/**
 * Finds the logs of a source. At the start of an attempt it closes the eras of all others, so that none of them can
 * acknowledge anything any more, and begins a new one: with one log for each slot, dealt behind all others.
 */
export class LogEnumerator implements SplitEnumerator {
  readonly #context: SourceContext
  readonly #option: SegmentLog

  constructor(context: SourceContext, option: SegmentLog) {
    this.#context = context
    this.#option = option
  }

  async discover(known: readonly Split[], parallelism: number, attempt?: Attempt): Promise<Split[]> {
    const slots = Array.from({ length: parallelism }, (_, index) => index)
    const { rng, files } = this.#context.ports
    if (this.#option.kind === 'none') {
      for (const split of known) if (!split.id.startsWith(MEMORY)) this.#onLoss(`the log ${split.id}`)
      return slots.map((index) => ({ id: `${MEMORY}${index}`, position: null, finished: false }))
    }
    const folder = logFolder(this.#context, this.#option.path)
    if (attempt !== undefined) await this.#closeEras(folder)
    const left = await this.#leftLogs(folder, known, attempt)
    if (attempt === undefined) return left
    const era = newEra(attempt, rng)
    await files.write(join(eraFolder(folder, era, 'open'), ERA_MARK), new Uint8Array())
    return [
      ...left,
      ...slots.map((index) => ({ id: splitIdOf({ era, index }), position: TO_BE_WRITTEN, finished: false })),
    ]
  }

  async close(): Promise<void> {
    /* holds nothing */
  }

  /** From now on no file of these eras is created, and nothing that is appended to one is acknowledged. */
  async #closeEras(folder: string): Promise<void> {
    const { files } = this.#context.ports
    for (const { era, state } of await this.#eras(folder)) {
      if (state === 'open') await files.rename(eraFolder(folder, era, 'open'), eraFolder(folder, era, 'closed'))
    }
  }

  /** The logs that are to be read, oldest first. Called after the eras are closed: nothing comes to them any more. */
  async #leftLogs(folder: string, known: readonly Split[], attempt: Attempt | undefined): Promise<Split[]> {
    const positions = new Map(known.map((split) => [splitIdOf(logNameOf(split.id)), split]))
    const splits: Split[] = []
    for (const { era, logs } of await this.#eras(folder)) {
      const left: Split[] = []
      for (const [index, segments] of logs) {
        const name = { era, index }
        const split = positions.get(splitIdOf(name))
        positions.delete(splitIdOf(name))
        if (split?.finished !== true) left.push(this.#leftOf(name, segments, split))
        // or it would be taken for a log that nobody has read, once no checkpoint knows it any more
        else if (attempt !== undefined) await this.#delete(folder, name, segments)
      }
      splits.push(...left)
      if (left.length === 0 && attempt !== undefined)
        await this.#context.ports.files.deleteFolder(eraFolder(folder, era, 'closed'))
    }
    for (const split of positions.values()) this.#checkNothingLost(split)
    return splits
  }

  async #eras(folder: string): Promise<Era[]> {
    const eras = new Map<string, { era: string; state: EraState; logs: Map<number, number[]> }>()
    for (const path of await this.#context.ports.files.glob(join(folder, '*', '*'))) {
      const found = eraOfFile(path)
      if (found === undefined) continue
      const era = eras.get(found.era) ?? { ...found, logs: new Map<number, number[]>() }
      eras.set(found.era, era)
      const segment = segmentOfFile(path)
      if (segment === undefined) continue
      era.logs.set(segment.index, [...(era.logs.get(segment.index) ?? []), segment.segment])
    }
    const attemptOf = ({ era }: Era): number => Number.parseInt(era, 10)
    return [...eras.values()].sort((a, b) => attemptOf(a) - attemptOf(b))
  }

  async #delete(folder: string, name: LogName, segments: Segments): Promise<void> {
    for (const segment of segments) await this.#context.ports.files.delete(closedSegment(folder, name, segment))
  }

  /** The rest of a log that the checkpoint does not cover, as a split. */
  #leftOf(name: LogName, segments: Segments, known: Split | undefined): Split {
    const [first = 1] = segments
    const position = positionOf(known)
    // a job of that name that began anew: what others have covered is gone, and what is left is read
    if (position === undefined) return split(name, { segment: first, offset: 0, entry: 0 })
    const last = segments.at(-1) ?? 0
    const needed = isWithin(position) ? Math.max(last, position.segment) : last
    for (let segment = position.segment; segment <= needed; segment++) {
      if (!segments.includes(segment)) this.#onLoss(`segment ${segment} of the log ${splitIdOf(name)}`)
    }
    return split(name, position)
  }

  /** A log of which no file is left: nothing was written to it, or it is lost. */
  #checkNothingLost(known: Split): void {
    const position = positionOf(known)
    if (known.finished || position === undefined) return
    if (isWithin(position)) this.#onLoss(`the log ${known.id}`)
  }

  #onLoss(what: string): void {
    const option = this.#option
    const folder = option.kind === 'none' ? 'a source that keeps none' : logFolder(this.#context, option.path)
    const message = `${what} is gone from ${folder}: what senders were told is kept there is lost`
    if (option.kind === 'folder' && option.onLoss === 'continue') {
      this.#context.ports.logger.warn(message, { operator: this.#context.operatorId })
      return
    }
    throw new MillraceError('LOG_LOST', message, {
      domain: 'user',
      hint: 'The state is older than what was deleted behind it, or the volume is another one. Mount the right volume, set log.onLoss: continue, or give the source a new id.',
    })
  }
}

function positionOf(known: Split | undefined): LogPosition | undefined {
  return known === undefined || known.position === TO_BE_WRITTEN ? undefined : decodePosition(known.position)
}

/** Something of its segment was read: the segment existed. At its start it may never have been created. */
function isWithin({ offset, entry }: LogPosition): boolean {
  return offset > 0 || entry > 0
}

function split(name: LogName, position: LogPosition): Split {
  return { id: splitIdOf(name), position: encodePosition(position), finished: false }
}

/** The file of a segment of a closed log. */
export function closedSegment(folder: string, name: LogName, segment: number): string {
  return segmentFile(eraFolder(folder, name.era, 'closed'), name, segment)
}
