import { clipped } from '../../runtime/model/clipped.ts'

/**
 * More than anybody reads. An API server refuses the whole status for the sake of a message of more than 32768
 * characters, and then nobody learns anything.
 */
const MOST_CHARACTERS = 4096

/** The same with every text cut there: it may quote a spec, or what a coordinator answers. */
export function withShortTexts<T>(status: T): T {
  return JSON.parse(
    JSON.stringify(status, (_name, value: unknown) =>
      typeof value === 'string' ? clipped(value, MOST_CHARACTERS) : value,
    ),
  ) as T
}
