import type { DruidSegment } from './druid-queries.ts'
import type { SegmentRange } from './segment-range.ts'

/** The published segments from `fromMs` to before `toMs`, cut to that time, in the order of time. */
export function publishedRanges(segments: readonly DruidSegment[], fromMs: number, toMs: number): SegmentRange[] {
  return segments
    .filter(({ isPublished, startMs, endMs }) => isPublished && startMs < toMs && endMs > fromMs)
    .map(({ interval, version, partition, startMs, endMs }) => ({
      interval,
      version,
      partition,
      fromMs: Math.max(startMs, fromMs),
      toMs: Math.min(endMs, toMs),
    }))
    .sort((a, b) => a.fromMs - b.fromMs || (a.version < b.version ? -1 : 1) || a.partition - b.partition)
}

/**
 * The end of the next window of continuous reading: `toMs`, or earlier where a task still fills a segment, whose rows
 * would be missed. `fromMs` when there is nothing to read yet.
 */
export function windowEnd(segments: readonly DruidSegment[], fromMs: number, toMs: number): number {
  const open = segments.filter(({ isPublished }) => !isPublished).map(({ startMs }) => startMs)
  return Math.max(fromMs, Math.min(toMs, ...open))
}
