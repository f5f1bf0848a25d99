import { valueReader, type ValueReader } from '../../model/logical-values.ts'
import { jsonRecordParser, withoutDigits, type JsonParser } from '../../model/json-digits.ts'
import { memberOf } from '../../model/fields.ts'
import { compileRowMaker } from '../../codegen/rows/row-maker.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { AsyncMapVerb, HttpCall, TemplatePart } from '../../graph/verbs/async-map.ts'
import { watched } from '../blocking.ts'
import type { OperatorContext } from '../operator-context.ts'

/** One try for one row; rejects with what the service or the function did. Resolves with a row of the output. */
export type AsyncCall = (row: Row, view: CallView) => Promise<Row>

/** What an asynchronous function sees besides its row. */
export interface CallView {
  /** Aborted when the time of this try is over, and when the attempt ends. */
  signal: AbortSignal
  /** Which try this is, from 1. */
  attempt: number
}

export function createAsyncCall(verb: AsyncMapVerb, context: OperatorContext): AsyncCall {
  return verb.call.kind === 'http' ? httpCall(verb.call, context) : functionCall(verb, context)
}

function functionCall(verb: AsyncMapVerb, { functions, output, clock, node, onBlocked }: OperatorContext): AsyncCall {
  if (verb.call.kind !== 'function')
    throw new MillraceError('VERB_UNSUPPORTED', `asyncMap ${node.id} calls no function`)
  const ref = verb.call.function
  const call = functions.function(ref)
  const make = compileRowMaker(output.schema, output.rowClass)
  return async (row, view) =>
    make(
      await watched(
        clock,
        (ms) => {
          onBlocked(node.id, ref.function, ms)
        },
        () => call(row, view),
      ),
    )
}

function httpCall(call: HttpCall, { httpClient, output }: OperatorContext): AsyncCall {
  const make = compileRowMaker(output.schema, output.rowClass)
  // as a source reads JSON: times and dates as ISO texts too; what does not fit is left for the maker to refuse
  const answered = call.answer.map((field) => ({ name: field.name, read: valueReader(field) }))
  const parse = jsonRecordParser(call.answer)
  const kept = output.schema.fields.filter(({ name }) => !call.answer.some((field) => field.name === name))
  const asked = [...call.url, ...(call.body ?? [])].flatMap((part) => (typeof part === 'string' ? [] : [part.field]))
  const combined = (row: Row, answer: Readonly<Record<string, unknown>>): Row =>
    make(
      Object.fromEntries([
        ...kept.map(({ name }) => [name, row[name]]),
        ...answered.map(({ name, read }) => [name, valueOf(memberOf(answer, name), read)]),
      ]),
    )
  return async (row, { signal }) => {
    if (call.ofNull !== undefined && asked.some((field) => row[field] === null)) {
      if (call.ofNull === 'unanswered') return combined(row, {})
      throw new MillraceError('LOOKUP_MISSING', 'null is equal to nothing', { domain: 'user' })
    }
    const { status, body } = await httpClient.send({
      method: call.method,
      url: filled(call.url, row, (value) => encodeURIComponent(text(value))),
      signal,
      tls: call.tls,
      headers: {
        accept: 'application/json',
        ...(call.method === 'POST' ? { 'content-type': 'application/json' } : {}),
        ...Object.fromEntries(call.headers.map(({ name, value }) => [name, filled(value, row, text)])),
      },
      ...(call.method === 'POST'
        ? {
            body:
              call.body === undefined ? JSON.stringify(row) : filled(call.body, row, (value) => JSON.stringify(value)),
          }
        : {}),
    })
    return combined(row, answerOf(parse, status, body))
  }
}

function valueOf(value: unknown, read: ValueReader): unknown {
  return value === null || value === undefined ? value : (read(value) ?? withoutDigits(value))
}

function filled(template: readonly TemplatePart[], row: Row, print: (value: unknown) => string): string {
  return template.map((part) => (typeof part === 'string' ? part : print(row[part.field]))).join('')
}

function text(value: unknown): string {
  return value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** 429 and 5xx may be other the next time; any other answer that is not 2xx is about the row. */
function answerOf(parse: JsonParser, status: number, body: string): Readonly<Record<string, unknown>> {
  if (status < 200 || status > 299) {
    throw new MillraceError(
      'HTTP_STATUS',
      `the service answered ${status}${body === '' ? '' : `: ${body.slice(0, 200)}`}`,
      { domain: 'dependency', retriable: status === 429 || status >= 500 },
    )
  }
  try {
    const answer: unknown = parse(body)
    if (typeof answer === 'object' && answer !== null && !Array.isArray(answer))
      return answer as Record<string, unknown>
  } catch (cause) {
    throw new MillraceError('HTTP_ANSWER', `the service answered no JSON: ${body.slice(0, 200)}`, {
      domain: 'dependency',
      cause,
    })
  }
  throw new MillraceError('HTTP_ANSWER', `the service answered no JSON object: ${body.slice(0, 200)}`, {
    domain: 'dependency',
  })
}

/** False for what would be the same at the next try: a wrong result, an answer that is about the row. */
export function isWorthRetrying(error: unknown): boolean {
  if (error instanceof MillraceError) return error.retriable
  return true
}
