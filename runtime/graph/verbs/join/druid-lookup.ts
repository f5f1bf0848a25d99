import { suggestion } from '../../../expressions/suggest.ts'
import { fieldOf, type Field, type Schema } from '../../../model/schema.ts'
import type { Fields } from '../../../model/fields.ts'
import { describe, join, type Problems } from '../../problems.ts'

const MAX_PARAMETERS = 32
/** With everything around it the request stays below what a template may hold. */
const MAX_QUERY = 2_500

/** What Druid calls the types of parameters. A row's json has none. */
const SQL_TYPES: Readonly<Partial<Record<Field['type'], string>>> = {
  long: 'BIGINT',
  double: 'DOUBLE',
  string: 'VARCHAR',
  boolean: 'BOOLEAN',
  timestamp: 'TIMESTAMP',
}

/**
 * `druid: { url, query, parameters, headers }` → the request of it, as the fields of `http`: a POST to Druid's SQL
 * endpoint in which the values of the row stand as typed parameters for the `?` of the query, never in its text.
 * Undefined after reporting.
 */
export function druidRequest(value: unknown, path: string, schema: Schema, problems: Problems): Fields | undefined {
  const fields = problems.fields(value, path, ['url', 'query', 'parameters', 'headers', 'tls'])
  if (fields === undefined) return undefined
  const url = readUrl(fields['url'], join(path, 'url'), problems)
  const query = readQuery(fields['query'], join(path, 'query'), problems)
  const parameters = readParameters(fields['parameters'], join(path, 'parameters'), schema, problems)
  if (query === undefined || url === undefined || parameters === undefined) return undefined
  const marks = marksIn(query)
  if (marks !== parameters.length) {
    problems.report(
      'OPTION_INVALID',
      join(path, 'parameters'),
      `names ${parameters.length} fields, the query has ${marks} ?`,
      'name a field for each ? of the query, in their order',
    )
    return undefined
  }
  const [head = '', ...rest] = JSON.stringify({
    query,
    resultFormat: 'object',
    parameters: parameters.map(({ type }) => ({ type: SQL_TYPES[type], value: VALUE })),
  }).split(JSON.stringify(VALUE))
  const body = literal(head) + rest.map((text, index) => `{${parameters[index]?.name ?? ''}}${literal(text)}`).join('')
  return {
    url: `${url}/druid/v2/sql`,
    method: 'POST',
    body,
    ...(fields['headers'] === undefined ? {} : { headers: fields['headers'] }),
    ...(fields['tls'] === undefined ? {} : { tls: fields['tls'] }),
  }
}

/** Stands for a value while the request is put together; no text of a user can hold it. */
const VALUE = '\u0000'

/** In a template a brace is doubled. */
function literal(text: string): string {
  return text.replaceAll('{', '{{')
}

function readUrl(value: unknown, path: string, problems: Problems): string | undefined {
  const url = problems.text(value, path, 1024)
  if (url === undefined) return undefined
  if (/^https?:\/\/[^/?#{}\s]+\/*$/.test(url) && URL.canParse(url)) return url.replace(/\/+$/, '')
  problems.report(
    'OPTION_INVALID',
    path,
    `${describe(url)} is not an address of a Druid`,
    'write that of its Router or a Broker: http://druid-router:8888',
  )
  return undefined
}

function readQuery(value: unknown, path: string, problems: Problems): string | undefined {
  const query = problems.text(value, path, MAX_QUERY)
  if (query === undefined) return undefined
  const spliced = /\{[A-Za-z_][A-Za-z0-9_]*\}/.exec(query)
  if (spliced !== null) {
    problems.report(
      'OPTION_INVALID',
      path,
      `${spliced[0]} would put a value into the text of the query`,
      'write ? in its place and name the field among parameters',
    )
    return undefined
  }
  if (query.includes(VALUE)) problems.report('OPTION_INVALID', path, 'holds a character that no query has')
  else if (marksIn(query) === 0)
    problems.report(
      'OPTION_INVALID',
      path,
      'asks the same for every row',
      'write a condition with ?, e.g. SELECT name FROM sellers WHERE id = ? LIMIT 1',
    )
  else return query
  return undefined
}

/** How many ? stand in a query outside of texts, names and comments. */
function marksIn(query: string): number {
  return [...query.matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\?/g)].filter(
    ([text]) => text === '?',
  ).length
}

function readParameters(value: unknown, path: string, schema: Schema, problems: Problems): Field[] | undefined {
  const names: unknown[] = Array.isArray(value) ? value : [value]
  if (value === undefined || names.length === 0 || names.length > MAX_PARAMETERS) {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must be a field of the row, or a list of 1 to ${MAX_PARAMETERS}, not ${value === undefined ? 'nothing' : describe(value)}`,
      'write parameters: [seller]',
    )
    return undefined
  }
  const fields = names.map((name, index): Field | undefined => {
    const at = Array.isArray(value) ? join(path, index) : path
    const field = typeof name === 'string' ? fieldOf(schema, name) : undefined
    if (field === undefined)
      problems.report(
        'UNKNOWN_FIELD',
        at,
        `there is no field ${describe(name)}`,
        suggestion(
          String(name),
          schema.fields.map((known) => known.name),
        ),
      )
    else if (SQL_TYPES[field.type] === undefined)
      problems.report(
        'TYPE_MISMATCH',
        at,
        `"${field.name}" is ${field.type}, which is not a parameter of a query`,
        'take the value it holds out with set before',
      )
    else return field
    return undefined
  })
  const sound = fields.filter((field) => field !== undefined)
  return sound.length < names.length ? undefined : sound
}
