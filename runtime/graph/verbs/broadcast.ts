import { aspect } from './kit/aspects.ts'
import { namesText } from './kit/descriptions.ts'
import { fieldsIn } from '../../expressions/fields-in.ts'
import type { Entry } from './entry.ts'
import { type JoinField, readJoinSelect } from './join/join-select.ts'
import { aliasesOf, carrierOf, readCondition } from './join/join.ts'
import { readKeyNames } from './kit/key-fields.ts'
import { join, type Problems } from '../problems.ts'
import type { Input, StreamTime, Surroundings } from '../stream.ts'
import type { ReadOperator, VerbDefinition } from './verb.ts'
import type { Expression } from '../../expressions/ast.ts'

/** Rows of the first input, the events, are `left` in expressions, those of the second, the rules, `right`. */
export interface BroadcastVerb {
  kind: 'broadcast'
  /** Fields of the rules: a rule replaces the one with the same key. */
  key: readonly string[]
  where?: Expression
  /** Over a rule alone: it removes the rule with its key and is not a rule itself. */
  remove?: Expression
  fields: readonly JoinField[]
}

export const broadcastVerb: VerbDefinition<BroadcastVerb> = {
  word: 'broadcast',
  entry: {
    forms: { broadcast: { fields: ['broadcast'], takes: [] } },
    inputs: 'apart',
    read: readBroadcast,
    checkForm: () => undefined,
  },
  // All of a rule is kept, so that other conditions find it whole.
  reads: ({ verb }, _wanted, input) => (input === 0 ? fieldsOfEvent(verb) : 'all'),
  distributes: () => [],
  changes: () => ({ makes: { kind: 'append' }, addsUp: undefined }),
  keeps: (_node, [, rules]) => ({ fields: rules?.fields ?? [], tables: {} }),
  aspects: ({ verb }) => [aspect('broadcast', verb, 'binds no state')],
  stage: 'broadcast',
  spills: false,
  dependsOnArrival: true,
  refusesRows: true,
  functions: () => [],
  service: () => undefined,
  describe: ({ verb }) => `each row with every rule, by ${namesText(verb.key)}`,
}

function fieldsOfEvent({ fields, where }: BroadcastVerb): ReadonlySet<string> {
  const expressions = [...fields.map(({ value }) => value), ...(where === undefined ? [] : [where])]
  return new Set(
    expressions
      .flatMap(fieldsIn)
      .filter(({ of }) => of === 'left')
      .map(({ name }) => name),
  )
}

const KNOWN = ['key', 'where', 'remove', 'select'] as const

/** `broadcast`: each event comes out once for every rule that holds for it. */
function readBroadcast(
  entry: Entry,
  inputs: readonly Input[],
  _around: Surroundings,
  problems: Problems,
): ReadOperator {
  const unknown: ReadOperator = { stream: { time: { kind: 'unknown' } } }
  const path = join(entry.path, 'broadcast')
  const fields = problems.fields(entry.fields['broadcast'], path, KNOWN)
  const [events, rules, third] = inputs
  if (events === undefined || rules === undefined || third !== undefined) {
    problems.report(
      'INPUT_MISSING',
      join(entry.path, 'from'),
      `a broadcast has two inputs, not ${inputs.length}`,
      'write from: [events, rules]: every slot gets all rules',
    )
    return unknown
  }
  if (fields === undefined) return unknown
  if (fields['key'] === undefined)
    problems.report(
      'KEY_MISSING',
      path,
      'does not say which rule replaces which',
      'write key: a field or a list of fields of the rules',
    )
  const key =
    fields['key'] === undefined ? undefined : readKeyNames(fields['key'], join(path, 'key'), rules.schema, problems)
  const aliases = aliasesOf(entry.from)
  const schemas = { left: events.schema, right: rules.schema }
  const where = readCondition(fields['where'], { rows: schemas, aliases }, join(path, 'where'), problems)
  const ofRule = Object.fromEntries(Object.entries(aliases).filter(([, row]) => row === 'right'))
  const remove = readCondition(
    fields['remove'],
    { rows: { right: rules.schema }, aliases: ofRule },
    join(path, 'remove'),
    problems,
  )
  const select = readJoinSelect(
    fields['select'],
    { type: 'inner', schemas, aliases, keys: { left: [], right: [] }, taken: [] },
    join(path, 'select'),
    problems,
  )
  if (key === undefined || select === undefined) return unknown
  return {
    stream: { schema: { fields: select.map(({ field }) => field) }, time: timeAfter(entry, events, select) },
    distribution: [{ kind: 'any' }, { kind: 'broadcast' }],
    verb: {
      kind: 'broadcast',
      key,
      fields: select,
      ...(where === undefined ? {} : { where }),
      ...(remove === undefined ? {} : { remove }),
    },
  }
}

/** Time is that of the events alone. */
function timeAfter(entry: Entry, { time }: Input, select: readonly JoinField[]): StreamTime {
  if (time.kind !== 'field') return time
  const field = carrierOf(select, 'left', time.field)
  return field === undefined
    ? { kind: 'none', why: `"${entry.id}" does not select "${time.field}", the event time` }
    : { ...time, field }
}
