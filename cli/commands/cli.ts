import { InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Console } from '../console.ts'

/** What each command gets. */
export interface Cli {
  readonly console: Console
  /** Called once, when the command has ended: the exit code of the process. */
  end(exitCode: number): void
}

/** `-o text|json`, of every command that prints a result. */
export const outputOption = () =>
  new Option('-o, --output <format>', 'json is for programs')
    .choices(['text', 'json'] as const)
    .default('text' as const)

/** `--type-check` and `--no-type-check`, of commands that read a job in TypeScript. */
export const typeCheckOptions = () =>
  [
    new Option('--type-check', 'check the types of job.ts; without it where a tsconfig.json lies above it'),
    new Option('--no-type-check', 'do not check types'),
  ] as const

/** Reads the value of an option; a value that is not a whole number of at least `least` is a usage error. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const number = Number(text)
    if (Number.isSafeInteger(number) && number >= least && text.trim() !== '') return number
    throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`)
  }

/** The last lines of a command's help. */
export const example = (line: string): string => `\nExample: ${line}`
