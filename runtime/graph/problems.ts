import { type Fields, isFields } from '../model/fields.ts'
import { MillraceError, type Position } from '../model/errors.ts'
import { redactedStart } from '../model/redacted.ts'
import { foreignKey } from '../expressions/foreign-words.ts'
import { suggestion } from '../expressions/suggest.ts'

/** One thing wrong with a job, found by reading alone. */
export interface Problem {
  /** Stable, SCREAMING_SNAKE. */
  code: string
  /** Where in the resource: `spec.graph[2].aggregate.top`. */
  path: string
  message: string
  hint?: string
  /** Inside the text of an expression. */
  position?: Position
}

/** Names that kubectl makes of others. */
const TRUTH_VALUES: ReadonlyMap<string, string> = new Map([
  ['true', 'kubectl reads on, yes and y without quotes so: put quotes around the name'],
  ['false', 'kubectl reads off, no and n without quotes so: put quotes around the name'],
])

/** A job with more mistakes than this is not read further: nobody reads them, and each costs time to word. */
export const MOST_PROBLEMS = 50

/** The members that one mapping may have: more than anybody writes by hand. */
const MOST_MEMBERS = 2000

/** What the expressions of a job may have together: the operator reads them in one go, at its first cold reading in 0.1 s. */
const MOST_OF_EXPRESSIONS = 131_072

/** Leaves a reading that has found enough. Caught by `Problems.gather` alone. */
class EnoughProblems extends Error {}

/** What one reading found; `value` is absent where it was given up. */
export interface Gathered<T> {
  readonly value: T | undefined
  readonly found: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/** Whether somebody writes the job now, or an earlier version accepted it and it stands in a savepoint. */
export type Origin = 'written' | 'kept'

/** Collects problems, so that one reading finds them all. Readers return undefined after reporting. */
export class Problems {
  readonly found: Problem[]
  /** What may well be meant so, but costs more than it looks. */
  readonly warnings: Problem[]
  readonly #origin: Origin
  readonly #place: (path: string) => string
  /** Those that were read. */
  readonly #expressions: { characters: number }

  private constructor(origin: Origin, shared?: Problems, place: (path: string) => string = (path) => path) {
    this.found = shared?.found ?? []
    this.warnings = shared?.warnings ?? []
    this.#origin = origin
    this.#place = place
    this.#expressions = shared === undefined ? { characters: 0 } : shared.#expressions
  }

  /**
   * Reads with a collector of its own. Gives up behind MOST_PROBLEMS, and says so as the last problem: an object from
   * outside decides how many there are.
   */
  static gather<T>(read: (problems: Problems) => T, origin: Origin = 'written'): Gathered<T> {
    const problems = new Problems(origin)
    const { found, warnings } = problems
    try {
      return { value: read(problems), found, warnings }
    } catch (error) {
      if (!(error instanceof EnoughProblems)) throw error
      found.push({
        code: 'TOO_MANY_PROBLEMS',
        path: found[0]?.path.split(/[.[]/, 1)[0] ?? '',
        message: `has more than ${MOST_PROBLEMS} mistakes; the first ${MOST_PROBLEMS} are told`,
      })
      return { value: undefined, found, warnings }
    }
  }

  /** The same collector for a reader that names other places: `place` says where its paths are. */
  elsewhere(place: (path: string) => string): Problems {
    return new Problems(this.#origin, this, place)
  }

  warn(code: string, path: string, message: string, hint?: string): void {
    if (this.warnings.length >= MOST_PROBLEMS) return
    this.warnings.push({ code, path: this.#place(path), message, ...(hint === undefined ? {} : { hint }) })
  }

  report(code: string, path: string, message: string, hint?: string): void {
    this.#add({ code, path, message, ...(hint === undefined ? {} : { hint }) })
  }

  /** Reports a form that earlier versions accepted; in a kept job it is only warned of, and still read. */
  reportOutdated(code: string, path: string, message: string, hint?: string): void {
    if (this.#origin === 'kept') this.warn(code, path, message, hint)
    else this.report(code, path, message, hint)
  }

  #add(problem: Problem): void {
    if (this.found.length >= MOST_PROBLEMS) throw new EnoughProblems()
    this.found.push({ ...problem, path: this.#place(problem.path) })
  }

  /** Runs a reader of an expression; its coded error becomes a problem at `path`. */
  attempt<T>(path: string, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof MillraceError) || error.domain !== 'user') throw error
      this.#add({
        code: error.code,
        path,
        message: error.message,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
        ...(error.position === undefined ? {} : { position: error.position }),
      })
      return undefined
    }
  }

  /** A mapping with no fields but `known`; unknown ones are reported and it is still returned. */
  fields(value: unknown, path: string, known?: readonly string[]): Fields | undefined {
    if (!isFields(value)) {
      this.report('TYPE_MISMATCH', path, `must be a mapping, not ${describe(value)}`)
      return undefined
    }
    const names = Object.keys(value)
    if (names.length > MOST_MEMBERS) {
      this.report('TOO_LARGE', path, `has ${names.length} members, at most ${MOST_MEMBERS} are taken`)
      return undefined
    }
    for (const name of names) {
      if (known?.includes(name) === false)
        this.report(
          'UNKNOWN_FIELD',
          join(path, name),
          `unknown field "${name}"`,
          TRUTH_VALUES.get(name) ?? foreignKey(name, known) ?? suggestion(name, known),
        )
    }
    return value
  }

  text(value: unknown, path: string, maxLength = 4096): string | undefined {
    if (typeof value !== 'string' || value === '') {
      this.report('TYPE_MISMATCH', path, `must be a text, not ${describe(value)}`)
      return undefined
    }
    if (value.length > maxLength) {
      this.report('TOO_LARGE', path, `has ${value.length} characters, at most ${maxLength} are taken`)
      return undefined
    }
    return value
  }

  /**
   * Whether an expression may be read, after those before it. Says once that there are too many characters; what an
   * earlier version accepted is read whatever it costs.
   */
  admitsExpression({ length }: string, path: string): boolean {
    const before = this.#expressions.characters
    this.#expressions.characters += length
    if (this.#origin === 'kept' || before + length <= MOST_OF_EXPRESSIONS) return true
    if (before <= MOST_OF_EXPRESSIONS)
      this.report(
        'TOO_LARGE',
        path,
        `is the expression with which those of the job exceed ${MOST_OF_EXPRESSIONS} characters together`,
        'compute in a function of a module, or in several jobs',
      )
    return false
  }

  /** A whole number from 1 on. */
  count(value: unknown, path: string): number | undefined {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
    this.report('TYPE_MISMATCH', path, `must be a whole number ≥ 1, not ${describe(value)}`)
    return undefined
  }
}

/** `spec.graph` + `id` → `spec.graph.id`; a strange name is quoted, so that the path can be read back. */
export function join(path: string, name: string | number): string {
  if (typeof name === 'number') return `${path}[${name}]`
  return /^[A-Za-z_$][-\w$]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`
}

/** As join for a path that is relative to `path`, as connectors report them: empty, `topic`, `paths[0]`. */
export function joinRelative(path: string, relative: string): string {
  if (relative === '' || relative.startsWith('[')) return path + relative
  return `${path}.${relative}`
}

/** A value in words, short: it may be of any size and is shown to the user. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  return redactedStart(JSON.stringify(value), 60)
}
