import { parseArgs } from 'node:util'
import { plant } from './harness/simulation/plant.ts'
import { isPlantedBugName, PLANTED_BUGS, type PlantedBugName } from './harness/simulation/planted-bugs.ts'
import type { Scenario } from './harness/simulation/scenario.ts'

/** Many seeds of the simulation, or one of them again with its log. Deterministic: a seed always runs the same. */
const PROGRESS_EVERY_MS = 10_000
/** One seed in so many runs twice and must run the same. */
const TWICE_EVERY = 100

const usage = (
  names: readonly string[],
): string => `usage: node cli/node.js test/simulate.ts [--scenario ${names.join('|')}] [--seeds N] [--first N] [--plant BUG] [--log]

  --scenario  only this one; all when left out
  --seeds     how many seeds each, default 200
  --first     the first of them, default 0
  --plant     with a bug in place, until it is found: ${Object.keys(PLANTED_BUGS).join(', ')}
  --log       prints what happened in every run
`

interface Wish {
  scenarios: readonly Scenario[]
  seeds: number
  first: number
  plant: PlantedBugName | undefined
  log: 'print' | 'keep'
}

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    seeds: { type: 'string', default: '200' },
    first: { type: 'string', default: '0' },
    plant: { type: 'string' },
    log: { type: 'boolean', default: false },
  },
})
if (values.plant !== undefined && isPlantedBugName(values.plant)) plant(values.plant)
// Loaded only now, so that they run with the planted bug.
const { SCENARIOS } = await import('./harness/simulation/scenarios.ts')

const wish = readWish()
if (typeof wish === 'string') {
  process.stderr.write(`simulate: ${wish}\n${usage(SCENARIOS.map(({ name }) => name))}`)
  process.exitCode = 2
} else {
  let isAsWished = wish.plant === undefined
  for (const scenario of wish.scenarios) {
    const failed = await runSeeds(scenario, wish)
    isAsWished = wish.plant === undefined ? isAsWished && failed === 0 : isAsWished || failed > 0
  }
  process.exitCode = isAsWished ? 0 : 1
}

function readWish(): Wish | string {
  const scenarios = SCENARIOS.filter(({ name }) => values.scenario === undefined || values.scenario === name)
  if (scenarios.length === 0) return `there is no scenario "${values.scenario ?? ''}"`
  const [seeds, first] = [Number(values.seeds), Number(values.first)]
  if (!Number.isSafeInteger(seeds) || seeds < 1) return `--seeds ${values.seeds} is not a number of seeds`
  if (!Number.isSafeInteger(first) || first < 0) return `--first ${values.first} is not a seed`
  const bug = values.plant
  if (bug !== undefined && !isPlantedBugName(bug)) return `there is no bug "${bug}" to plant`
  return { scenarios, seeds, first, plant: bug, log: values.log ? 'print' : 'keep' }
}

/** How many seeds failed. With a planted bug the first failure is enough. */
async function runSeeds(scenario: Scenario, { seeds, first, plant: bug, log }: Wish): Promise<number> {
  const startedAt = Date.now()
  let toldAt = startedAt
  let failed = 0
  let steps = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const verdict = await scenario.run(seed)
    steps += verdict.steps
    if (log === 'print') process.stdout.write(`${verdict.log.join('\n')}\n`)
    const wrong = verdict.wrong ?? (seed % TWICE_EVERY === 0 ? await differs(scenario, seed, verdict.log) : undefined)
    if (wrong !== undefined) {
      failed += 1
      process.stdout.write(`${scenario.name} ${seed}: ${wrong}\n  again: ${replayOf(scenario, seed, bug)}\n`)
      if (bug !== undefined) break
    }
    if (Date.now() - toldAt < PROGRESS_EVERY_MS) continue
    toldAt = Date.now()
    process.stdout.write(
      `${scenario.name}: ${seed - first + 1} of ${seeds} seeds, ${failed} failed, ${Math.round((toldAt - startedAt) / 1000)} s\n`,
    )
  }
  process.stdout.write(
    `${scenario.name}: ${bug === undefined ? `${seeds} seeds` : `${bug} planted, ${failed > 0 ? 'found' : `not found in ${seeds} seeds`}`}, ${failed} failed, ${steps} events, ${Math.round((Date.now() - startedAt) / 1000)} s\n`,
  )
  return failed
}

async function differs(scenario: Scenario, seed: number, log: readonly string[]): Promise<string | undefined> {
  const again = await scenario.run(seed)
  const at = log.findIndex((line, index) => line !== again.log[index])
  if (at < 0 && log.length === again.log.length) return undefined
  return `ran differently the second time: "${log[at] ?? ''}" became "${again.log[at] ?? ''}"`
}

function replayOf(scenario: Scenario, seed: number, bug: PlantedBugName | undefined): string {
  return `node cli/node.js test/simulate.ts --scenario ${scenario.name} --first ${seed} --seeds 1 --log${bug === undefined ? '' : ` --plant ${bug}`}`
}
