import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { fileEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

type Format = 'json' | 'csv'

/** Names of a job; every field is read, written, computed, kept as a key and as state, and given to functions. */
interface Names {
  /** A key, a number, a number that may be null, an event time, a list as JSON. */
  k: string
  v: string
  d: string
  at: string
  j: string
  /** Fields that verbs add. */
  x: string
  y: string
  /** A side output and a state; a step of a pattern, which no field may be called. */
  side: string
  step: string
  /** The operator of the verb. */
  op: string
}

const PLAIN: Names = { k: 'k', v: 'v', d: 'd', at: 'at', j: 'j', x: 'x', y: 'y', side: 'side', step: 'step', op: 'op' }
const HOSTILE: Names = {
  k: 'constructor',
  v: 'toString',
  d: 'valueOf',
  at: 'hasOwnProperty',
  j: 'isPrototypeOf',
  x: 'propertyIsEnumerable',
  y: '__defineGetter__',
  side: 'constructor',
  step: 'toLocaleString',
  op: 'constructor',
}

const RECORDS = Array.from({ length: 24 }, (_, n) => ({
  k: ['constructor', 'toString', 'b'][n % 3] ?? '',
  v: n,
  ...(n % 4 === 0 ? {} : { d: n / 2 }),
  at: 1_700_000_000_000 + n * 500,
  j: n % 2 === 0 ? ['constructor', 'x'] : [],
}))

const FUNCTIONS = ({ k, v, d, at, x, y, side }: Names): string => `
export const isBig = (row) => row.${v} > 5
export const changed = (row) => ({ ${k}: row.${k}, ${x}: row.${v} + 1, ${y}: row.${d} })
export const forgotten = (row) => ({ ${k}: row.${k} })
export const later = async (row) => ({ ${k}: row.${k}, ${x}: row.${v} })
export const sum = { init: () => ({ ${x}: 0 }), add: (s, row) => ({ ${x}: s.${x} + row.${v} }), merge: (a, b) => ({ ${x}: a.${x} + b.${x} }), result: (s) => s.${x} }
export const counting = {
  onRow(row, { state, emit, sideOutput, timers }) {
    const before = state.${side}.get() ?? { ${x}: 0 }
    state.${side}.set({ ${x}: before.${x} + row.${v} })
    if (row.${v} % 5 === 0) sideOutput('${side}', { ${k}: row.${k} })
    emit({ ${k}: row.${k}, ${x}: before.${x} })
    timers.at(row.${at} + 1000)
  },
  onTimer(time, { key, state, emit }) { emit({ ${k}: key.${k}, ${x}: state.${side}.get().${x} }) },
}
`

type EntryOf = (names: Names) => object
const call = (name: string) => ({ module: 'own', function: name })

/** An entry for each verb, in the words of its names. */
const ENTRIES: Readonly<Record<string, EntryOf>> = {
  filter: ({ k, v, d }) => ({ filter: `${v} > 3 && ${k} !== 'b' && (${d} ?? 1) > 0` }),
  map: ({ k, v, x, y }) => ({ map: { [k]: k, [x]: `${v} * 2`, [y]: `\`\${${k}}:\${${v}}\`` } }),
  set: ({ v, d, x }) => ({ set: { [v]: `${v} + 1`, [x]: `${d} ?? ${v}` } }),
  filterByFunction: () => ({ filter: call('isBig') }),
  mapByFunction: ({ k, x, y }) => ({
    map: { ...call('changed'), output: { [k]: 'string', [x]: 'long', [y]: 'double?' } },
  }),
  mapThatForgets: ({ k, x, y }) => ({
    map: { ...call('forgotten'), output: { [k]: 'string', [x]: 'json?', [y]: 'string?' } },
  }),
  flatMap: ({ j, x }) => ({ flatMap: { unnest: j, as: x, type: 'string', keepEmpty: true } }),
  sideOutput: ({ side, v }) => ({ sideOutput: { [side]: `${v} > 11` } }),
  asyncMap: ({ k, x }) => ({ asyncMap: { ...call('later'), output: { [k]: 'string', [x]: 'long' } } }),
  aggregate: ({ k, v, d, x, y }) => ({
    keyBy: k,
    window: 'global',
    aggregate: { [x]: `sum(${v})`, [y]: `min(${d})`, n: 'count()', far: `argMax(${v}, ${v})` },
  }),
  window: ({ k, v, d, x, y }) => ({
    keyBy: k,
    window: { hop: '2s', size: '4s' },
    aggregate: { [x]: `max(${v})`, [y]: `avg(${d})`, own: { ...call('sum'), state: { [x]: 'long' }, output: 'long' } },
  }),
  session: ({ k, v, x }) => ({ keyBy: k, window: { session: '2s' }, aggregate: { [x]: `max(${v})` } }),
  reduce: ({ k, v }) => ({ keyBy: k, reduce: { [v]: `previous.${v} + current.${v}` } }),
  dedupe: ({ k }) => ({ keyBy: k, dedupe: { keep: 'last' } }),
  topN: ({ k, v, x }) => ({ keyBy: k, topN: { limit: 2, by: v, rank: x } }),
  join: ({ k, v, x, y }) => ({
    from: ['in', 'other'],
    join: {
      keyBy: { [k]: k },
      type: 'left',
      within: { before: '1s', after: '1s' },
      select: { [k]: `left.${k}`, [x]: `left.${v}`, [y]: `right.${v}` },
    },
  }),
  pattern: ({ k, v, x, y, step }) => ({
    keyBy: k,
    pattern: {
      steps: [
        { name: step, where: `${v} > 2` },
        { name: 'second', where: `${v} > ${step}.${v}` },
      ],
      within: '1m',
      select: { [k]: k, [x]: `second.${v}`, [y]: `${step}.${v}` },
    },
  }),
  process: ({ k, x, side }) => ({
    keyBy: k,
    process: {
      ...call('counting'),
      output: { [k]: 'string', [x]: 'long' },
      sideOutputs: { [side]: { [k]: 'string' } },
      state: { [side]: { value: { [x]: 'long' } } },
    },
  }),
}

function specOf(names: Names, entryOf: EntryOf, format: Format): object {
  const { k, v, d, at, j, op, side } = names
  const source = (id: string): object => ({
    id,
    source: { file: { path: `in.${format}`, format: format === 'json' ? 'json' : { csv: { header: true } } } },
    schema: { [k]: 'string', [v]: 'long', [d]: 'double?', [at]: 'timestamp', [j]: 'json' },
    eventTime: { field: at },
  })
  const entry: Readonly<Record<string, unknown>> = { from: 'in', ...entryOf(names) }
  const hasSide = 'sideOutput' in entry || 'process' in entry
  return {
    checkpoints: { interval: '20ms' },
    modules: { own: { path: './own.mjs' } },
    graph: [
      source('in'),
      ...(Array.isArray(entry['from']) ? [source('other')] : []),
      { id: op, ...entry },
      { id: 'out', from: op, sink: { file: { path: 'out', format: 'json' } } },
      ...(hasSide ? [{ id: 'aside', from: `${op}.${side}`, sink: { file: { path: 'aside', format: 'json' } } }] : []),
    ],
  }
}

/** The rows of a run, with the plain names. */
async function rowsWith(names: Names, entryOf: EntryOf, format: Format): Promise<unknown[]> {
  const job = new InProcessJob(specOf(names, entryOf, format), new Connectors([fileEntry]))
  cleanups.push(() => job.close())
  mkdirSync(job.folder, { recursive: true })
  const { k, v, d, at, j } = names
  const lines =
    format === 'json'
      ? RECORDS.map((one) =>
          JSON.stringify({ [k]: one.k, [v]: one.v, ...('d' in one ? { [d]: one.d } : {}), [at]: one.at, [j]: one.j }),
        )
      : [
          [k, v, d, at, j].join(),
          ...RECORDS.map(
            (one) => `${one.k},${one.v},${one.d ?? ''},${one.at},"${JSON.stringify(one.j).replaceAll('"', '""')}"`,
          ),
        ]
  writeFileSync(join(job.folder, `in.${format}`), `${lines.join('\n')}\n`)
  writeFileSync(join(job.folder, 'own.mjs'), FUNCTIONS(names))
  await job.start()
  await job.reportWith('finished', ({ phase, error }) => {
    if (error !== null) throw new Error(`${error.code}: ${error.message}`)
    return phase === 'finished'
  })
  const plainOf = new Map(
    (Object.keys(names) as (keyof Names)[])
      .filter((name) => !['side', 'step', 'op'].includes(name))
      .map((name) => [names[name], name]),
  )
  return ['out', 'aside'].flatMap((folder) =>
    linesOf(join(job.folder, folder)).map((line) => [
      folder,
      Object.entries(JSON.parse(line) as object).map(([name, value]: [string, unknown]) => [
        plainOf.get(name) ?? name,
        value,
      ]),
    ]),
  )
}

function linesOf(folder: string): string[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.startsWith('part-'))
  return names
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .sort()
}

const inOrder = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row)).sort()

describe('names that every JavaScript object has', () => {
  test.each(Object.keys(ENTRIES))(
    'as fields, outputs, state and the id of the operator, %s computes what it does with plain names',
    async (verb) => {
      const entryOf = ENTRIES[verb] as EntryOf
      const plain = inOrder(await rowsWith(PLAIN, entryOf, 'json'))
      expect(plain.length).toBeGreaterThan(0)
      expect(inOrder(await rowsWith(HOSTILE, entryOf, 'json'))).toEqual(plain)
    },
  )

  test('in the head of a CSV file are columns like any other', async () => {
    const entryOf = ENTRIES['set'] as EntryOf
    const plain = inOrder(await rowsWith(PLAIN, entryOf, 'csv'))
    expect(plain).toHaveLength(RECORDS.length)
    expect(inOrder(await rowsWith(HOSTILE, entryOf, 'csv'))).toEqual(plain)
  })
})
