import type { Fields } from '../problems.ts'

/** What an entry may be. Those that are keyed stand beside a `keyBy`, which alone is a verb too. */
export const VERBS = [
  'source',
  'filter',
  'map',
  'set',
  'flatMap',
  'union',
  'sideOutput',
  'asyncMap',
  'keyBy',
  'window',
  'aggregate',
  'reduce',
  'join',
  'dedupe',
  'topN',
  'pattern',
  'process',
  'broadcast',
  'sink',
] as const
export type VerbName = (typeof VERBS)[number]

interface VerbForm {
  /** Fields that may stand beside the common ones. */
  fields: readonly string[]
  /** Other verbs that are but a part of this one when they stand beside it. */
  takes?: readonly VerbName[]
  /** Fields its state is made of: with another value the state has no place in the new operator. */
  state?: readonly string[]
  /** What of those may change all the same, by their own fields; `steps.where` is the field of each in a list. */
  free?: readonly string[]
}

export const COMMON_FIELDS = ['id', 'from', 'replicas'] as const
export const FORMS: Readonly<Record<VerbName, VerbForm>> = {
  source: { fields: ['source', 'schema', 'eventTime', 'onError'] },
  filter: { fields: ['filter'] },
  map: { fields: ['map'] },
  set: { fields: ['set'] },
  flatMap: { fields: ['flatMap'] },
  union: { fields: ['union'] },
  sideOutput: { fields: ['sideOutput'] },
  asyncMap: { fields: ['asyncMap'] },
  keyBy: { fields: ['keyBy'] },
  window: {
    fields: ['keyBy', 'window', 'aggregate', 'lateness', 'emit'],
    takes: ['keyBy', 'aggregate'],
    state: ['keyBy', 'window', 'aggregate'],
  },
  aggregate: { fields: ['keyBy', 'aggregate', 'emit', 'ttl'], takes: ['keyBy'], state: ['keyBy', 'aggregate'] },
  reduce: { fields: ['keyBy', 'reduce', 'ttl'], takes: ['keyBy'], state: ['keyBy'] },
  join: { fields: ['join'], state: ['join'] },
  dedupe: { fields: ['keyBy', 'dedupe'], takes: ['keyBy'], state: ['keyBy', 'dedupe'], free: ['ttl'] },
  topN: { fields: ['keyBy', 'topN'], takes: ['keyBy'], state: ['keyBy', 'topN'], free: ['ttl'] },
  pattern: {
    fields: ['keyBy', 'pattern'],
    takes: ['keyBy'],
    state: ['keyBy', 'pattern'],
    free: ['select', 'maxRuns', 'steps.where'],
  },
  process: { fields: ['keyBy', 'process'], takes: ['keyBy'], state: ['keyBy'] },
  broadcast: { fields: ['broadcast'], state: [] },
  sink: { fields: ['sink'] },
}
export const ALL_FIELDS: readonly string[] = [
  ...new Set([...COMMON_FIELDS, ...Object.values(FORMS).flatMap((form) => form.fields)]),
]

/** The verb of an entry whose fields may be wrong in other ways; undefined when it has none or several. */
export function verbOf(fields: Fields): VerbName | undefined {
  const [verb, second] = verbsOf(fields)
  return second === undefined ? verb : undefined
}

export function verbsOf(fields: Fields): VerbName[] {
  const named = VERBS.filter((verb) => verb in fields)
  return named.filter((verb) => !named.some((other) => FORMS[other].takes?.includes(verb)))
}

/** Fields a verb's state is made of; undefined when it keeps none. */
export function stateFieldsOf(verb: VerbName): readonly string[] | undefined {
  return FORMS[verb].state
}

/** Fields inside of those that say nothing about how state lies. */
export function freeFieldsOf(verb: VerbName): readonly string[] {
  return FORMS[verb].free ?? []
}

/** An entry of the graph list, its place in the graph checked, its verb not yet. */
export interface Entry {
  path: string
  id: string
  from: readonly string[]
  verb: VerbName
  fields: Fields
}
