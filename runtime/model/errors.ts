import { printable } from './printable.ts'
import { redacted } from './redacted.ts'

/** Who has to act: the author of the job, an outside system, or us. */
export type ErrorDomain = 'user' | 'dependency' | 'platform' | 'bug'

/** Where in a text a mistake stands; line and column count from 1. */
export interface Position {
  line: number
  column: number
}

export interface ErrorDetails {
  domain?: ErrorDomain
  /** Path of the field in the resource, e.g. `spec.graph[1].filter`. */
  path?: string
  position?: Position
  /** What to do about it, in one sentence. */
  hint?: string
  /** True when the same call may succeed later without anyone's help. */
  retriable?: boolean
  cause?: unknown
}

/**
 * The one error class of Millrace. `code` is stable (SCREAMING_SNAKE) and may be matched by programs;
 * `message` names what failed with both values and why. Secrets never enter a message.
 */
export class MillraceError extends Error {
  readonly code: string
  readonly domain: ErrorDomain
  readonly path: string | undefined
  readonly position: Position | undefined
  readonly hint: string | undefined
  readonly retriable: boolean

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause })
    this.name = 'MillraceError'
    this.code = code
    this.domain = details.domain ?? 'bug'
    this.path = details.path
    this.position = details.position
    this.hint = details.hint
    this.retriable = details.retriable ?? false
  }
}

/** The plain form that crosses process boundaries (control messages, status, `-o json`). */
export interface ErrorReport {
  code: string
  message: string
  domain: ErrorDomain
  retriable: boolean
  path?: string
  hint?: string
}

export function errorReport(error: unknown): ErrorReport {
  if (error instanceof MillraceError) {
    return {
      code: error.code,
      message: describeWithCauses(error),
      domain: error.domain,
      retriable: error.retriable,
      ...(error.path === undefined ? {} : { path: error.path }),
      ...(error.hint === undefined ? {} : { hint: printable(error.hint) }),
    }
  }
  return { code: 'UNEXPECTED', message: describeWithCauses(error), domain: 'bug', retriable: false }
}

/**
 * An error's message followed by those of its causes: `cannot write X: EACCES: permission denied`. Everything that
 * shows an error goes through here: secrets that foreign code has put into its messages are left out, and what steers a
 * terminal is written out.
 */
export function describeWithCauses(error: unknown): string {
  const parts: string[] = []
  let current: unknown = error
  while (current !== undefined && current !== null && parts.length < 5) {
    const message = redacted(current instanceof Error ? current.message : String(current))
    if (!parts.some((part) => part.includes(message))) parts.push(message)
    current = current instanceof Error ? current.cause : undefined
  }
  return printable(parts.join(': '))
}
