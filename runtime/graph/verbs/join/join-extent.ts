import { isFields, type Fields } from '../../../model/fields.ts'
import { describe, join, type Problems } from '../../problems.ts'
import { readDuration } from '../kit/durations.ts'

/** Which rows of the two sides can meet, and so how long they are kept. */
export type JoinExtent =
  /** Both in the same window of event time; windows are aligned to the epoch. A tumbling one has slideMs = sizeMs. */
  | { kind: 'window'; sizeMs: number; slideMs: number }
  /**
   * left.time − before ≤ right.time ≤ left.time + after, of which one may be negative: the interval then leaves out the
   * time of the left row. Rows are kept and dropped in panes.
   */
  | { kind: 'interval'; beforeMs: number; afterMs: number; paneMs: number }
  /** All; rows are kept for `ttlMs` of processing time, without it for ever. */
  | { kind: 'regular'; ttlMs?: number }

/** More windows over one row than this are a mistake. */
const MAX_OVERLAP = 1000
/** The shortest pane: below, there would be more of them than rows in them. */
const MIN_PANE_MS = 1000

/** One of window, within and ttl. Without any the join is unbounded, which is worth a warning. */
export function readJoinExtent(fields: Fields, path: string, problems: Problems): JoinExtent | undefined {
  const written = (['window', 'within', 'ttl'] as const).filter((name) => fields[name] !== undefined)
  const [name, second] = written
  if (second !== undefined) {
    problems.report(
      'JOIN_INVALID',
      path,
      `has ${written.join(' and ')}: rows meet in one way`,
      'keep one of window, within and ttl',
    )
    return undefined
  }
  switch (name) {
    case 'window':
      return readWindow(fields['window'], join(path, 'window'), problems)
    case 'within':
      return readWithin(fields['within'], join(path, 'within'), problems)
    case 'ttl':
      return readTtl(fields['ttl'], join(path, 'ttl'), problems)
    case undefined:
      problems.warn(
        'JOIN_UNBOUNDED',
        path,
        'keeps every row of both sides for ever: state, and every checkpoint, grows with each record, about its size in bytes plus 40',
        'bound it by window or within (event time) or by ttl: 1h; write ttl: forever when it is meant so',
      )
      return { kind: 'regular' }
  }
}

function readTtl(value: unknown, path: string, problems: Problems): JoinExtent | undefined {
  if (value === 'forever') return { kind: 'regular' }
  const ttlMs = readLength(value, path, problems)
  return ttlMs === undefined ? undefined : { kind: 'regular', ttlMs }
}

function readWindow(value: unknown, path: string, problems: Problems): JoinExtent | undefined {
  const fields = problems.fields(value, path, ['tumble', 'hop', 'size'])
  if (fields === undefined) return undefined
  const isTumble = fields['tumble'] !== undefined
  if (isTumble ? 'hop' in fields || 'size' in fields : !('hop' in fields && 'size' in fields)) {
    problems.report(
      'WINDOW_INVALID',
      path,
      isTumble ? 'tumble stands alone' : 'a window tumbles or hops',
      'write { tumble: 10s } or { hop: 2s, size: 10s }',
    )
    return undefined
  }
  const sizeMs = readLength(fields[isTumble ? 'tumble' : 'size'], join(path, isTumble ? 'tumble' : 'size'), problems)
  const slideMs = isTumble ? sizeMs : readLength(fields['hop'], join(path, 'hop'), problems)
  if (sizeMs === undefined || slideMs === undefined) return undefined
  if (slideMs > sizeMs || sizeMs / slideMs > MAX_OVERLAP) {
    problems.report(
      'WINDOW_INVALID',
      path,
      slideMs > sizeMs
        ? `hops by ${slideMs} ms but is only ${sizeMs} ms long: records would be lost between windows`
        : `every record would be in ${Math.ceil(sizeMs / slideMs)} windows, at most ${MAX_OVERLAP} are taken`,
    )
    return undefined
  }
  return { kind: 'window', sizeMs, slideMs }
}

function readWithin(value: unknown, path: string, problems: Problems): JoinExtent | undefined {
  const fields = isFields(value) ? problems.fields(value, path, ['before', 'after']) : undefined
  if (fields?.['before'] === undefined && fields?.['after'] === undefined) {
    problems.report(
      'JOIN_INVALID',
      path,
      'says neither before nor after',
      'write { before: 10s, after: 0s }: how much earlier and later than left the right row may be',
    )
    return undefined
  }
  const [beforeMs, afterMs] = (['before', 'after'] as const).map((name) =>
    fields[name] === undefined ? 0 : readOffset(fields[name], join(path, name), problems),
  )
  if (beforeMs === undefined || afterMs === undefined) return undefined
  if (beforeMs + afterMs < 0) {
    problems.report(
      'JOIN_INVALID',
      path,
      `ends before it begins: from ${-beforeMs} ms to ${afterMs} ms after the left row`,
      'write { before: -5s, after: 10s }: the right row comes 5 to 10 s after the left',
    )
    return undefined
  }
  return { kind: 'interval', beforeMs, afterMs, paneMs: Math.max(MIN_PANE_MS, Math.ceil((beforeMs + afterMs) / 3)) }
}

/** A duration that may be negative. */
function readOffset(value: unknown, path: string, problems: Problems): number | undefined {
  if (typeof value !== 'string' || !value.startsWith('-')) return readDuration(value, path, problems)
  const ms = readDuration(value.slice(1), path, problems)
  return ms === undefined ? undefined : -ms
}

function readLength(value: unknown, path: string, problems: Problems): number | undefined {
  const ms = readDuration(value, path, problems)
  if (ms !== 0) return ms
  problems.report('DURATION_INVALID', path, `${describe(value)} is no length of time`)
  return undefined
}

export function joinExtentText(extent: JoinExtent): string {
  switch (extent.kind) {
    case 'window':
      return extent.sizeMs === extent.slideMs
        ? `in windows of ${extent.sizeMs} ms`
        : `in windows of ${extent.sizeMs} ms every ${extent.slideMs} ms`
    case 'interval':
      return extent.beforeMs < 0 || extent.afterMs < 0
        ? `the right ${-extent.beforeMs} to ${extent.afterMs} ms after`
        : `the right at most ${extent.beforeMs} ms before and ${extent.afterMs} ms after`
    case 'regular':
      return extent.ttlMs === undefined ? 'rows kept for ever' : `rows kept for ${extent.ttlMs} ms`
  }
}
