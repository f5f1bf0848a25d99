import { printable } from '../runtime/model/printable.ts'

/** Where a command writes. Nothing that it writes steers a terminal: texts of jobs and records are in it. */
export interface Console {
  /** What was asked for: standard output. */
  out(text: string): void
  /** Everything else: standard error. */
  err(text: string): void
}

export const standardConsole: Console = {
  out: (text) => {
    process.stdout.write(printable(text))
  },
  err: (text) => {
    process.stderr.write(printable(text))
  },
}

/** A document that another program reads: as it is, but for somebody who looks at it on a terminal. */
export function writeDocument(text: string): void {
  process.stdout.write(process.stdout.isTTY ? printable(text) : text)
}
