/** Where a command writes. */
export interface Console {
  /** What was asked for: standard output. */
  out(text: string): void
  /** Everything else: standard error. */
  err(text: string): void
}

export const standardConsole: Console = {
  out: (text) => {
    process.stdout.write(text)
  },
  err: (text) => {
    process.stderr.write(text)
  },
}
