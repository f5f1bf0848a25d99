import { MillraceError } from '../../model/errors.ts'
import type { Json } from '../../model/snapshot.ts'

/** What a split of a file is; its id says it all, so that a restore needs nothing else. */
export type FileRange =
  /** The lines that start in bytes [start, end). */
  { kind: 'bytes'; file: string; start: number; end: number } | { kind: 'rowGroup'; file: string; group: number }

export function splitId(range: FileRange): string {
  return range.kind === 'bytes' ? `${range.file}:${range.start}-${range.end}` : `${range.file}#${range.group}`
}

/** Throws SPLIT_INVALID for an id this connector did not make. */
export function parseSplitId(id: string): FileRange {
  const bytes = /^(.*):(\d+)-(\d+)$/s.exec(id)
  if (bytes) return { kind: 'bytes', file: bytes[1] ?? '', start: Number(bytes[2]), end: Number(bytes[3]) }
  const group = /^(.*)#(\d+)$/s.exec(id)
  if (group) return { kind: 'rowGroup', file: group[1] ?? '', group: Number(group[2]) }
  throw new MillraceError('SPLIT_INVALID', `split ${JSON.stringify(id)} is none of a file source`, {
    domain: 'user',
    hint: 'the source was changed under the same id: give it a new id, or start without the old state',
  })
}

/**
 * The position of a file split. `version` is that of the object when it was planned (StoredObject.version; local files
 * have none), `next` where reading continues. The enumerator writes the other two afresh for every attempt: `headTime`
 * is the event time of the record at `next`, `originTime` the smallest of all splits, where every slot's replay clock
 * starts.
 */
export interface FilePosition {
  version: string | undefined
  next: number | undefined
  headTime: number | undefined
  originTime: number | undefined
}

export function parsePosition(position: Json): FilePosition {
  const fields =
    typeof position === 'object' && position !== null && !Array.isArray(position)
      ? (position as { readonly [key: string]: Json })
      : {}
  const number = (name: string): number | undefined => {
    const value = fields[name]
    return typeof value === 'number' ? value : undefined
  }
  const { version } = fields
  return {
    version: typeof version === 'string' ? version : undefined,
    next: number('next'),
    headTime: number('headTime'),
    originTime: number('originTime'),
  }
}

export function formatPosition(position: FilePosition): Json {
  const { version, next, headTime, originTime } = position
  if (version === undefined && next === undefined && headTime === undefined && originTime === undefined) return null
  return {
    ...(version === undefined ? {} : { version }),
    ...(next === undefined ? {} : { next }),
    ...(headTime === undefined ? {} : { headTime }),
    ...(originTime === undefined ? {} : { originTime }),
  }
}
