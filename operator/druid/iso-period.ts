const PERIOD = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/

/** `PT1H` → 3600000; undefined for text that is not an ISO 8601 period of fixed length (months and years have none). */
export function parseIsoPeriodMs(text: string): number | undefined {
  const match = PERIOD.exec(text)
  if (!match || text.endsWith('T') || text === 'P') return undefined
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0))
  return Math.round((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000)
}

/** 3600000 → `PT3600S`, the form in which Druid echoes the periods of a supervisor. */
export function isoPeriod(ms: number): string {
  return `PT${ms / 1000}S`
}
