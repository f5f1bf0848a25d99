import { operatorOfInput } from '../../graph/job-graph.ts'
import type { Entry } from '../../graph/verbs/entry.ts'
import { ALL_FIELDS, FORM_NAMES, formOf, formsNamed } from './forms.ts'
import { isFields, type Fields } from '../../model/fields.ts'
import { describe, join, type Problems } from '../../graph/problems.ts'
import { foreignKey } from '../../expressions/foreign-words.ts'
import { nearest, suggestion } from '../../expressions/suggest.ts'

const MAX_OPERATORS = 64

/**
 * Reads the list: ids, inputs, which verb. Returns the entries in topological order, those on a cycle or behind one
 * left out; everything wrong is reported.
 */
export function readEntries(list: unknown, path: string, problems: Problems): Entry[] {
  if (!Array.isArray(list) || list.length === 0) {
    problems.report(
      'TYPE_MISMATCH',
      path,
      `must be a list of operators, not ${Array.isArray(list) ? 'an empty one' : describe(list)}`,
    )
    return []
  }
  if (list.length > MAX_OPERATORS) {
    problems.report('TOO_LARGE', path, `has ${list.length} operators, at most ${MAX_OPERATORS} are taken`)
    return []
  }
  const entries: Entry[] = []
  const seen = new Map<string, string>()
  // an id whose entry could not be read is still an id: what reads from it is not to blame
  list.forEach((item: unknown, index) => {
    const entry = readEntry(item, join(path, index), seen, problems)
    if (entry !== undefined) entries.push(entry)
  })
  checkInputs(entries, seen, problems)
  checkConsumers(entries, list, problems)
  return inOrder(entries, problems)
}

function readEntry(item: unknown, path: string, seen: Map<string, string>, problems: Problems): Entry | undefined {
  const fields = problems.fields(item, path)
  if (fields === undefined) return undefined
  const id = readId(fields['id'], path, seen, problems)
  const verb = readVerb(fields, path, problems)
  const from = readFrom(fields, verb, path, problems)
  return id === undefined || verb === undefined || from === undefined ? undefined : { path, id, from, verb, fields }
}

function readId(value: unknown, path: string, seen: Map<string, string>, problems: Problems): string | undefined {
  const idPath = join(path, 'id')
  const id = problems.text(value, idPath, 256)
  if (id === undefined) return undefined
  if (!/^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$/.test(id)) {
    problems.report(
      'ID_INVALID',
      idPath,
      `the id ${describe(id)} goes into pod names`,
      'at most 32 of a-z, 0-9 and -, a letter first, no - at the end',
    )
  }
  const first = seen.get(id)
  if (first !== undefined) {
    problems.report('DUPLICATE_ID', idPath, `the id "${id}" is taken by ${first}`)
    return undefined
  }
  seen.set(id, path)
  return id
}

function readVerb(fields: Fields, path: string, problems: Problems): string | undefined {
  const verbs = formsNamed(fields)
  const [verb, second] = verbs
  const allowed = (verb === undefined ? undefined : formOf(verb)?.fields) ?? ALL_FIELDS
  const unknown = Object.keys(fields).filter((name) => !allowed.includes(name) && !FORM_NAMES.includes(name))
  for (const name of unknown) reportUnknown(name, verb, allowed, path, problems)
  if (second !== undefined) {
    problems.report(
      'VERB_AMBIGUOUS',
      path,
      `has ${verbs.join(' and ')}: one operator does one thing`,
      'write one entry for each',
    )
    return undefined
  }
  const meantAVerb = unknown.some(
    (name) => FORM_NAMES.includes(nearest(name, ALL_FIELDS) ?? '') || foreignKey(name, FORM_NAMES) !== undefined,
  )
  if (verb === undefined && !meantAVerb) {
    problems.report('VERB_MISSING', path, 'does nothing', `write one of ${FORM_NAMES.join(', ')}`)
  }
  return verb
}

function reportUnknown(
  name: string,
  verb: string | undefined,
  allowed: readonly string[],
  path: string,
  problems: Problems,
): void {
  const message = ALL_FIELDS.includes(name) ? `"${name}" does not go with ${verb ?? 'this'}` : `unknown field "${name}"`
  // of what may stand here, else of what would make another verb of it
  const meant =
    nearest(name, allowed) === undefined && !ALL_FIELDS.includes(name) && nearest(name, ALL_FIELDS) !== undefined
      ? ALL_FIELDS
      : allowed
  problems.report('UNKNOWN_FIELD', join(path, name), message, foreignKey(name, ALL_FIELDS) ?? suggestion(name, meant))
}

function readFrom(
  fields: Fields,
  verb: string | undefined,
  path: string,
  problems: Problems,
): readonly string[] | undefined {
  const from = fields['from']
  const fromPath = join(path, 'from')
  if (verb === 'source') {
    if (from !== undefined) problems.report('UNKNOWN_FIELD', fromPath, 'a source has no input')
    return []
  }
  if (from === undefined) {
    if (verb !== undefined)
      problems.report('INPUT_MISSING', path, 'has no input', 'write from: the id of the operator before it')
    return undefined
  }
  const list: unknown[] = Array.isArray(from) ? from : [from]
  const names = list.filter((name): name is string => typeof name === 'string' && name !== '')
  if (names.length === 0 || names.length < list.length) {
    problems.report('TYPE_MISMATCH', fromPath, 'must be the id of an operator or a list of ids')
    return undefined
  }
  if (new Set(names).size < names.length) {
    problems.report('DUPLICATE_INPUT', fromPath, 'names the same input twice')
    return undefined
  }
  return names
}

function checkInputs(entries: readonly Entry[], seen: ReadonlyMap<string, string>, problems: Problems): void {
  const sinks = new Set(entries.filter((entry) => entry.verb === 'sink').map((entry) => entry.id))
  for (const entry of entries) {
    entry.from.forEach((name, index) => {
      const path = Array.isArray(entry.fields['from'])
        ? join(join(entry.path, 'from'), index)
        : join(entry.path, 'from')
      const id = operatorOfInput(name)
      if (!seen.has(id)) {
        problems.report(
          'UNKNOWN_INPUT',
          path,
          `there is no operator "${id}"`,
          suggestion(
            id,
            [...seen.keys()].filter((known) => known !== entry.id && !sinks.has(known)),
          ),
        )
      } else if (sinks.has(id)) {
        problems.report(
          'SINK_HAS_CONSUMER',
          path,
          `"${id}" is a sink, nothing comes out of it`,
          `read from what "${id}" reads`,
        )
      }
    })
  }
}

/** `list` as written: an entry that could not be read still reads from its inputs. */
function checkConsumers(entries: readonly Entry[], list: readonly unknown[], problems: Problems): void {
  const read = new Set(
    list
      .flatMap((item): unknown[] => (isFields(item) ? [item['from']].flat() : []))
      .map((name) => (typeof name === 'string' ? operatorOfInput(name) : name)),
  )
  for (const entry of entries) {
    if (entry.verb !== 'sink' && !read.has(entry.id)) {
      problems.report(
        'OPERATOR_UNUSED',
        entry.path,
        `nobody reads from "${entry.id}"`,
        `add an operator with from: ${entry.id}, at the end a sink`,
      )
    }
  }
}

/** Kahn's algorithm; among those that are free the order of the list is kept. */
function inOrder(entries: readonly Entry[], problems: Problems): Entry[] {
  const ordered: Entry[] = []
  const byId = new Map(entries.map((entry) => [entry.id, entry]))
  let waiting = [...entries]
  const done = new Set<string>()
  for (;;) {
    const free = waiting.filter((entry) => entry.from.map(operatorOfInput).every((id) => done.has(id) || !byId.has(id)))
    if (free.length === 0) break
    for (const entry of free) {
      ordered.push(entry)
      done.add(entry.id)
    }
    waiting = waiting.filter((entry) => !done.has(entry.id))
  }
  if (waiting.length > 0) reportCycle(waiting, problems)
  return ordered
}

/** Every one of `waiting` has an input among them, so walking backwards must come round. */
function reportCycle(waiting: readonly Entry[], problems: Problems): void {
  const byId = new Map(waiting.map((entry) => [entry.id, entry]))
  const walked: Entry[] = []
  let current = waiting[0]
  while (current !== undefined && !walked.includes(current)) {
    walked.push(current)
    current = current.from.map((name) => byId.get(operatorOfInput(name))).find((entry) => entry !== undefined)
  }
  if (current === undefined) return
  const cycle = walked.slice(walked.indexOf(current)).toReversed()
  const names = [...cycle, ...cycle.slice(0, 1)].map((entry) => entry.id)
  problems.report('CYCLE', join(current.path, 'from'), `records would go round: ${names.join(' → ')}`)
}
