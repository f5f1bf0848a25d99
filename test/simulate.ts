import { parseArgs } from 'node:util'
import { PLANTED_BUGS, withPlantedBug, type PlantedBug } from '../runtime/model/planted-bugs.ts'
import { alignmentScenario } from './harness/simulation/alignment-job.ts'
import { clusterScenario } from './harness/simulation/cluster-scenario.ts'
import { crashPointScenario } from './harness/simulation/crash-points.ts'
import { jobScenario } from './harness/simulation/job-scenario.ts'
import type { Scenario } from './harness/simulation/scenario.ts'
import { userCodeScenario } from './harness/simulation/user-code-job.ts'

/** Many seeds of the simulation, or one of them again with its log. Deterministic: a seed always runs the same. */
const SCENARIOS: readonly Scenario[] = [
  jobScenario,
  clusterScenario,
  userCodeScenario,
  alignmentScenario,
  crashPointScenario,
]
const PROGRESS_EVERY_MS = 10_000
/** One seed in so many runs twice and must run the same. */
const TWICE_EVERY = 100

const USAGE = `usage: node cli/node.js test/simulate.ts [--scenario ${SCENARIOS.map(({ name }) => name).join('|')}] [--seeds N] [--first N] [--plant BUG] [--log]

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
  plant: PlantedBug | undefined
  log: 'print' | 'keep'
}

const wish = readWish()
if (typeof wish === 'string') {
  process.stderr.write(`simulate: ${wish}\n${USAGE}`)
  process.exitCode = 2
} else {
  let isAsWished = wish.plant === undefined
  for (const scenario of wish.scenarios) {
    const failed = await withPlantedBug(wish.plant, () => runSeeds(scenario, wish))
    isAsWished = wish.plant === undefined ? isAsWished && failed === 0 : isAsWished || failed > 0
  }
  process.exitCode = isAsWished ? 0 : 1
}

function readWish(): Wish | string {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      seeds: { type: 'string', default: '200' },
      first: { type: 'string', default: '0' },
      plant: { type: 'string' },
      log: { type: 'boolean', default: false },
    },
  })
  const scenarios = SCENARIOS.filter(({ name }) => values.scenario === undefined || values.scenario === name)
  if (scenarios.length === 0) return `there is no scenario "${values.scenario ?? ''}"`
  const [seeds, first] = [Number(values.seeds), Number(values.first)]
  if (!Number.isSafeInteger(seeds) || seeds < 1) return `--seeds ${values.seeds} is not a number of seeds`
  if (!Number.isSafeInteger(first) || first < 0) return `--first ${values.first} is not a seed`
  const { plant } = values
  if (plant !== undefined && !isBug(plant)) return `there is no bug "${plant}" to plant`
  return { scenarios, seeds, first, plant, log: values.log ? 'print' : 'keep' }
}

function isBug(name: string): name is PlantedBug {
  return Object.hasOwn(PLANTED_BUGS, name)
}

/** How many seeds failed. With a planted bug the first failure is enough. */
async function runSeeds(scenario: Scenario, { seeds, first, plant, log }: Wish): Promise<number> {
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
      process.stdout.write(`${scenario.name} ${seed}: ${wrong}\n  again: ${replayOf(scenario, seed, plant)}\n`)
      if (plant !== undefined) break
    }
    if (Date.now() - toldAt < PROGRESS_EVERY_MS) continue
    toldAt = Date.now()
    process.stdout.write(
      `${scenario.name}: ${seed - first + 1} of ${seeds} seeds, ${failed} failed, ${Math.round((toldAt - startedAt) / 1000)} s\n`,
    )
  }
  process.stdout.write(
    `${scenario.name}: ${plant === undefined ? `${seeds} seeds` : `${plant} planted, ${failed > 0 ? 'found' : `not found in ${seeds} seeds`}`}, ${failed} failed, ${steps} events, ${Math.round((Date.now() - startedAt) / 1000)} s\n`,
  )
  return failed
}

async function differs(scenario: Scenario, seed: number, log: readonly string[]): Promise<string | undefined> {
  const again = await scenario.run(seed)
  const at = log.findIndex((line, index) => line !== again.log[index])
  if (at < 0 && log.length === again.log.length) return undefined
  return `ran differently the second time: "${log[at] ?? ''}" became "${again.log[at] ?? ''}"`
}

function replayOf(scenario: Scenario, seed: number, plant: PlantedBug | undefined): string {
  return `node cli/node.js test/simulate.ts --scenario ${scenario.name} --first ${seed} --seeds 1 --log${plant === undefined ? '' : ` --plant ${plant}`}`
}
