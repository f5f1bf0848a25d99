import { aspect } from './kit/aspects.ts'
import { functionText } from './kit/descriptions.ts'
import { type Field, fieldOf, type Schema } from '../../model/schema.ts'
import type { FunctionRef } from '../../model/user-module.ts'
import { suggestion } from '../../expressions/suggest.ts'
import type { Entry } from './entry.ts'
import { type Fields, isFields } from '../../model/fields.ts'
import { describe, join, joinRelative, type Problems } from '../problems.ts'
import { readTlsFiles } from '../tls-files.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import type { Input, Stream } from '../stream.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import { readDuration } from './kit/durations.ts'
import { readFunction, readOutput, timeAfterFunction } from './kit/user-function.ts'

/** One call to the outside for each row, many under way at once; Flink's AsyncDataStream. */
export interface AsyncMapVerb extends CallSettings {
  kind: 'asyncMap'
  call: { kind: 'function'; function: FunctionRef } | HttpCall
}

/** How many calls are under way, and for how long. */
export interface CallSettings {
  order: 'ordered' | 'unordered'
  /** Calls under way at most, per slot. */
  capacity: number
  /** The time limit of one try. */
  timeoutMs: number
  retry: Retry
}

/** A request made of a row: `{field}` in url, body and headers stands for the row's value. */
export interface HttpCall {
  kind: 'http'
  method: 'GET' | 'POST'
  url: readonly TemplatePart[]
  headers: readonly { name: string; value: readonly TemplatePart[] }[]
  /** Absent with POST: the row as JSON. */
  body?: readonly TemplatePart[]
  /** Whom to trust and who the job is, over https. */
  tls?: TlsFiles
  /** Fields read from the JSON of the answer; they stand behind those of the row. */
  answer: readonly Field[]
  /**
   * The fate of a row in which a field of the url or body is null: no request is made, and the row is dropped or gets
   * nulls as its answer.
   */
  ofNull?: 'dropped' | 'unanswered'
}

/** A text, or the value of a field. */
export type TemplatePart = string | { field: string }

/** `attempts` counts the first; the wait doubles from `firstMs` to `lastMs`. */
export interface Retry {
  attempts: number
  firstMs: number
  lastMs: number
}

export const asyncMapVerb: VerbDefinition<AsyncMapVerb> = {
  word: 'asyncMap',
  entry: {
    forms: { asyncMap: { fields: ['asyncMap'], takes: [] } },
    inputs: 'one stream',
    read: (entry, input, { modules }, problems) => readAsyncMap(entry, input, modules, problems),
    checkForm: () => undefined,
  },
  reads: () => 'all',
  distributes: () => [],
  changes: () => ({ makes: { kind: 'asInput' }, addsUp: undefined }),
  keeps: () => 'nothing',
  aspects: ({ verb, schema }) => [aspect('asyncMap', [verb, schema], 'binds no state')],
  stage: 'async-map',
  spills: false,
  dependsOnArrival: false,
  refusesRows: true,
  functions: (verb) => calledFunctions(verb),
  service: (verb) => (verb.call.kind === 'http' ? 'a service' : undefined),
  describe: ({ verb }) =>
    `asyncMap by ${verb.call.kind === 'http' ? verb.call.method : functionText(verb.call.function)}, ${verb.order}, ${verb.capacity} at once`,
}

export function calledFunctions({ call }: AsyncMapVerb): readonly FunctionRef[] {
  return call.kind === 'function' ? [call.function] : []
}

const MAX_CAPACITY = 10_000
const MAX_ATTEMPTS = 100
export const CALL_SETTINGS = ['order', 'capacity', 'timeout', 'retry'] as const
const DEFAULT_TIMEOUT_MS = 10_000

/** `asyncMap: { module, function, output, … }` or `asyncMap: { http: { url, … }, output, … }`. */
export function readAsyncMap(
  entry: Entry,
  input: Input,
  modules: ReadonlySet<string>,
  problems: Problems,
): ReadOperator {
  const path = join(entry.path, 'asyncMap')
  const value = entry.fields['asyncMap']
  const isHttp = isFields(value) && 'http' in value
  const fields = problems.fields(value, path, [
    ...(isHttp ? ['http'] : ['module', 'function', 'eventTime']),
    'output',
    ...CALL_SETTINGS,
  ])
  if (fields === undefined) return { stream: { time: { kind: 'unknown' } } }
  const settings = readCallSettings(fields, path, problems)
  const output = readOutput(fields, path, problems)
  if (output === undefined) return { stream: { time: { kind: 'unknown' } } }
  if (isHttp) return readHttpForm(fields, path, { input, output, settings }, problems)
  if (fields['function'] === undefined && fields['module'] === undefined) {
    problems.report(
      'CALL_MISSING',
      path,
      'calls nothing',
      'write { module: NAME, function: EXPORT } or { http: { url: … } }',
    )
    return { stream: { schema: output, time: { kind: 'unknown' } } }
  }
  const ref = readFunction(fields, path, modules, problems)
  const stream: Stream = { schema: output, time: timeAfterFunction(entry, fields, path, input.time, output, problems) }
  if (ref === undefined || settings === undefined) return { stream }
  return { stream, verb: { kind: 'asyncMap', call: { kind: 'function', function: ref }, ...settings } }
}

function readHttpForm(
  fields: Fields,
  path: string,
  around: { input: Input; output: Schema; settings: CallSettings | undefined },
  problems: Problems,
): ReadOperator {
  const { input, output, settings } = around
  const call = readHttp(fields['http'], join(path, 'http'), input.schema, output.fields, problems)
  const stream = withAnswer(input, output, join(path, 'output'), problems)
  if (stream === undefined) return { stream: { time: { kind: 'unknown' } } }
  return call === undefined || settings === undefined
    ? { stream }
    : { stream, verb: { kind: 'asyncMap', call, ...settings } }
}

/** The fields of an answer stand behind those of the row. Undefined after reporting one that is there already. */
export function withAnswer(input: Input, output: Schema, path: string, problems: Problems): Stream | undefined {
  const clash = output.fields.find((field) => fieldOf(input.schema, field.name) !== undefined)
  if (clash === undefined) return { schema: { fields: [...input.schema.fields, ...output.fields] }, time: input.time }
  problems.report(
    'DUPLICATE_FIELD',
    join(path, clash.name),
    `the row has a field "${clash.name}" already`,
    'the fields of the answer are put behind those of the row',
  )
  return undefined
}

/** `order`, `capacity`, `timeout` and `retry`. */
export function readCallSettings(fields: Fields, path: string, problems: Problems): CallSettings | undefined {
  const written = fields['order'] ?? 'ordered'
  const order = written === 'ordered' || written === 'unordered' ? written : undefined
  if (order === undefined)
    problems.report(
      'UNKNOWN_VALUE',
      join(path, 'order'),
      `${describe(written)} is not an order`,
      suggestion(String(written), ['ordered', 'unordered']),
    )
  const capacity = fields['capacity'] === undefined ? 100 : problems.count(fields['capacity'], join(path, 'capacity'))
  const timeoutMs =
    fields['timeout'] === undefined
      ? DEFAULT_TIMEOUT_MS
      : readDuration(fields['timeout'], join(path, 'timeout'), problems)
  if (timeoutMs === 0) problems.report('DURATION_INVALID', join(path, 'timeout'), 'leaves no time for the call')
  if (capacity !== undefined && capacity > MAX_CAPACITY)
    problems.report('TOO_LARGE', join(path, 'capacity'), `is ${capacity}, at most ${MAX_CAPACITY} is taken`)
  const retry = readRetry(fields['retry'], join(path, 'retry'), problems)
  return order === undefined || capacity === undefined || timeoutMs === undefined || retry === undefined
    ? undefined
    : { order, capacity, timeoutMs, retry }
}

/** `retry: { attempts: 3, backoff: 100ms, max: 10s }`. */
function readRetry(value: unknown, path: string, problems: Problems): Retry | undefined {
  if (value === undefined) return { attempts: 1, firstMs: 0, lastMs: 0 }
  const fields = problems.fields(value, path, ['attempts', 'backoff', 'max'])
  if (fields === undefined) return undefined
  const attempts = problems.count(fields['attempts'], join(path, 'attempts'))
  const firstMs =
    fields['backoff'] === undefined ? 100 : readDuration(fields['backoff'], join(path, 'backoff'), problems)
  const lastMs =
    fields['max'] === undefined
      ? Math.max(10_000, firstMs ?? 0)
      : readDuration(fields['max'], join(path, 'max'), problems)
  if (attempts !== undefined && attempts > MAX_ATTEMPTS)
    problems.report('TOO_LARGE', join(path, 'attempts'), `is ${attempts}, at most ${MAX_ATTEMPTS} is taken`)
  return attempts === undefined || firstMs === undefined || lastMs === undefined
    ? undefined
    : { attempts, firstMs, lastMs }
}

function readHttp(
  value: unknown,
  path: string,
  schema: Schema,
  answer: readonly Field[],
  problems: Problems,
): HttpCall | undefined {
  const fields = problems.fields(value, path, ['url', 'method', 'headers', 'body', 'tls'])
  if (fields === undefined) return undefined
  const method = fields['method'] ?? 'GET'
  if (method !== 'GET' && method !== 'POST') {
    problems.report('UNKNOWN_VALUE', join(path, 'method'), `${describe(method)} is not a method`, 'write GET or POST')
    return undefined
  }
  const url = readTemplate(fields['url'], join(path, 'url'), schema, problems)
  const isUrl = url !== undefined && readUrl(url, join(path, 'url'), problems)
  const headers = Object.entries(
    fields['headers'] === undefined ? {} : (problems.fields(fields['headers'], join(path, 'headers')) ?? {}),
  ).map(([name, text]) => ({
    name,
    value: readHeader(name, text, join(join(path, 'headers'), name), schema, problems),
  }))
  if (method === 'GET' && fields['body'] !== undefined)
    problems.report('UNKNOWN_FIELD', join(path, 'body'), 'a GET has no body', 'write method: POST')
  const body =
    fields['body'] === undefined ? undefined : readTemplate(fields['body'], join(path, 'body'), schema, problems)
  const tls =
    fields['tls'] === undefined
      ? undefined
      : readTlsFiles(fields['tls'], (at, message, hint) => {
          problems.report('OPTION_INVALID', joinRelative(join(path, 'tls'), at), message, hint)
        })
  const sound = headers.flatMap(({ name, value: parts }) => (parts === undefined ? [] : [{ name, value: parts }]))
  if (!isUrl || sound.length < headers.length || (fields['body'] !== undefined && body === undefined)) return undefined
  return {
    kind: 'http',
    method,
    url,
    headers: sound,
    answer,
    ...(body === undefined ? {} : { body }),
    ...(tls === undefined ? {} : { tls }),
  }
}

/** Which host is asked must not be for a record to say. */
function readUrl(url: readonly TemplatePart[], path: string, problems: Problems): boolean {
  const [start] = url
  if (
    typeof start === 'string' &&
    /^https?:\/\/[^/?#{}\s]+([/?#]|$)/.test(start) &&
    (url.length === 1 || /^https?:\/\/[^/?#]+[/?#]/.test(start)) &&
    URL.canParse(start)
  )
    return true
  problems.report(
    'OPTION_INVALID',
    path,
    'must begin with http:// or https:// and a host without fields of the row',
    'write url: http://prices:8080/of/{auction}',
  )
  return false
}

function readHeader(
  name: string,
  value: unknown,
  path: string,
  schema: Schema,
  problems: Problems,
): readonly TemplatePart[] | undefined {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(name)) return readTemplate(value, path, schema, problems)
  problems.report('OPTION_INVALID', path, `${describe(name)} is not a name of a header`)
  return undefined
}

/** Text with `{field}` in it; `{{` stands for a brace. */
function readTemplate(
  value: unknown,
  path: string,
  schema: Schema,
  problems: Problems,
): readonly TemplatePart[] | undefined {
  const text = problems.text(value, path)
  if (text === undefined) return undefined
  const parts: TemplatePart[] = []
  let isSound = true
  for (const [, plain, brace, name] of text.matchAll(/([^{]+)|(\{\{)|\{([A-Za-z_][A-Za-z0-9_]*)\}|\{/g)) {
    const literal = plain ?? (brace === undefined ? undefined : '{')
    if (literal !== undefined) {
      const last = parts.at(-1)
      if (typeof last === 'string') parts[parts.length - 1] = last + literal
      else parts.push(literal)
    } else if (name !== undefined && fieldOf(schema, name) !== undefined) parts.push({ field: name })
    else {
      isSound = false
      if (name === undefined)
        problems.report('OPTION_INVALID', path, 'has a { that begins no {field}', 'write {{ for a brace')
      else
        problems.report(
          'UNKNOWN_FIELD',
          path,
          `there is no field "${name}"`,
          suggestion(
            name,
            schema.fields.map((known) => known.name),
          ),
        )
    }
  }
  return isSound ? parts : undefined
}
