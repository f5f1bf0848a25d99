/** Says on stderr what a bed is doing: fetching and building take minutes, and silence looks like a hang. */
export function say(bed: string, text: string): void {
  process.stderr.write(`  [${bed}] ${text}\n`)
}

/** 93_000 ms → "1 min 33 s". */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
