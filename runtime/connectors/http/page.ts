import { memberOf, isFields } from '../../model/fields.ts'
import { JsonNumber, parseWithDigits } from '../../model/json-digits.ts'
import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import { jsonItems, type ItemBounds } from '../kit/json-items.ts'
import type { HttpSourceOptions } from './declaration.ts'

/** A cursor or link that is longer is none. */
const LONGEST_CURSOR = 4096

/** One answer. */
export interface Page {
  readonly bytes: Buffer
  readonly rows: ItemBounds
  /** Where the next request goes on; undefined when the answer names no place. */
  readonly cursor: string | undefined
  /** The address of the next page, when there is one now. */
  readonly next: string | undefined
  readonly tag: string | null
}

/** Reads an answer. Throws HTTP_ANSWER when it has no rows at their place, or names a page at another server. */
export function pageOf(body: string, tag: string | undefined, asked: string, options: HttpSourceOptions): Page {
  const value = parsed(body, asked)
  const rowsHere = valueAt(value, options.rows)
  if (!Array.isArray(rowsHere)) throw answerWrong(asked, `has no list at ${options.rows.join('.') || 'its top'}`, body)
  const bytes = Buffer.from(body)
  return {
    bytes,
    rows: jsonItems(bytes, options.rows),
    cursor: cursorOf(value, rowsHere, asked, options),
    next: nextOf(value, asked, options),
    tag: tag ?? null,
  }
}

function parsed(body: string, asked: string): unknown {
  try {
    return parseWithDigits(body)
  } catch (cause) {
    throw answerWrong(asked, 'is no JSON', body, cause)
  }
}

function cursorOf(
  value: unknown,
  rows: readonly unknown[],
  asked: string,
  { cursor }: HttpSourceOptions,
): string | undefined {
  if (cursor === undefined) return undefined
  const found = cursor.from === 'answer' ? valueAt(value, cursor.path) : valueAt(rows.at(-1), cursor.path)
  if (found === undefined || found === null) return undefined
  const text = found instanceof JsonNumber ? found.digits : String(found)
  if (typeof found === 'object' && !(found instanceof JsonNumber))
    throw answerWrong(asked, `has no text or number as cursor at ${cursor.path.join('.')}`, '')
  if (text.length > LONGEST_CURSOR) throw answerWrong(asked, `has a cursor of ${text.length} characters`, '')
  return text
}

function nextOf(value: unknown, asked: string, { next }: HttpSourceOptions): string | undefined {
  const found = next === undefined ? undefined : valueAt(value, next)
  if (found === undefined || found === null || found === '') return undefined
  if (typeof found !== 'string' || found.length > LONGEST_CURSOR || !URL.canParse(found, asked))
    throw answerWrong(asked, `names a next page that is no address`, String(found))
  const page = new URL(found, asked)
  // the login of the job must not follow wherever an answer points
  if (page.origin !== new URL(asked).origin)
    throw answerWrong(asked, `names a next page at another server, ${page.origin}`, '')
  return page.href
}

/** The value at a path of members; undefined where there is none. */
function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((inner: unknown, name) => (isFields(inner) ? memberOf(inner, name) : undefined), value)
}

function answerWrong(asked: string, what: string, body: string, cause?: unknown): MillraceError {
  const { origin, pathname } = new URL(asked)
  const shown = body === '' ? '' : `: ${clipped(body)}`
  return new MillraceError('HTTP_ANSWER', `the answer of ${origin}${pathname} ${what}${shown}`, {
    domain: 'dependency',
    retriable: true,
    ...(cause === undefined ? {} : { cause }),
  })
}
