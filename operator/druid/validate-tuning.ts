import { isFields, memberOf } from '../../runtime/model/fields.ts'
import { parseIsoPeriodMs } from './iso-period.ts'
import { allowedNames } from './spec-problem.ts'
import type { SpecProblem } from './spec-problem.ts'

/** Druid takes unknown names with a 200 and ignores them, so a typing mistake would stay silent. */
const TUNING: Readonly<Record<string, 'number' | 'boolean' | 'period' | 'object'>> = {
  maxRowsInMemory: 'number',
  maxBytesInMemory: 'number',
  maxRowsPerSegment: 'number',
  maxTotalRows: 'number',
  maxPendingPersists: 'number',
  handoffConditionTimeout: 'number',
  workerThreads: 'number',
  chatRetries: 'number',
  maxParseExceptions: 'number',
  maxSavedParseExceptions: 'number',
  numPersistThreads: 'number',
  maxColumnsToMerge: 'number',
  reportParseExceptions: 'boolean',
  logParseExceptions: 'boolean',
  releaseLocksOnHandoff: 'boolean',
  skipBytesInMemoryOverheadCheck: 'boolean',
  intermediatePersistPeriod: 'period',
  intermediateHandoffPeriod: 'period',
  httpTimeout: 'period',
  shutdownTimeout: 'period',
  offsetFetchPeriod: 'period',
  indexSpec: 'object',
  indexSpecForIntermediatePersists: 'object',
  appendableIndexSpec: 'object',
}
/** Threads inside of Druid. */
const MOST_THREADS = 256
/** While Druid waits for tasks it holds the one lock of all its supervisors. */
const LONGEST_WAIT_MS = 5 * 60_000
const WAITS: readonly string[] = ['httpTimeout', 'shutdownTimeout']

export function tuningProblems(tuning: Readonly<Record<string, unknown>>): SpecProblem[] {
  const problems = allowedNames('spec.tuning', tuning, Object.keys(TUNING))
  for (const [name, value] of Object.entries(tuning)) {
    const wanted = wantedOfTuning(name, value)
    if (wanted === undefined) continue
    problems.push({ path: `spec.tuning.${name}`, message: `${shown(value)} is not ${wanted}` })
  }
  return problems
}

/** What the value should have been; undefined when it is that. */
export function wantedOfTuning(name: string, value: unknown): string | undefined {
  const kind = memberOf(TUNING, name)
  if (kind === 'number') {
    const isThreads = name === 'workerThreads' || name === 'numPersistThreads'
    const least = name === 'maxColumnsToMerge' ? -1 : isThreads ? 1 : 0
    if (isThreads && Number(value) > MOST_THREADS) return `at most ${MOST_THREADS}`
    return Number.isSafeInteger(value) && Number(value) >= least ? undefined : `a whole number of at least ${least}`
  }
  if (kind === 'boolean') return typeof value === 'boolean' ? undefined : 'true or false'
  if (kind === 'object') return isFields(value) ? undefined : 'a mapping'
  if (kind === undefined) return undefined
  const ms = typeof value === 'string' ? parseIsoPeriodMs(value) : undefined
  if (ms === undefined || ms === 0) return 'a period such as PT10M'
  return WAITS.includes(name) && ms > LONGEST_WAIT_MS ? 'at most PT5M, for so long all supervisors may wait' : undefined
}

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 100)
}
