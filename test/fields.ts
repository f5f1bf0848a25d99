import { parseArgs } from 'node:util'
import { mulberry } from '../sim/seeded-random.ts'
import { jobEdits, wrongOf } from './harness/field-edits/edited-job.ts'

/** Every field of a StreamJob with every value, there and back, and chains of three edits that overtake each other. */
const { values } = parseArgs({
  options: {
    chains: { type: 'string', default: '200' },
    first: { type: 'string', default: '0' },
    help: { type: 'boolean' },
  },
})
if (values.help === true) {
  process.stdout.write('usage: npm run test:fields -- [--chains N] [--first SEED]\n')
} else {
  const edits = jobEdits()
  const wrong: string[] = []
  const find = async (chain: Parameters<typeof wrongOf>[0], seed: string): Promise<void> => {
    for (const one of await wrongOf(chain)) {
      wrong.push(one)
      process.stdout.write(`${seed}${one}\n`)
    }
  }
  for (const edit of edits) await find([edit], '')
  const first = Number(values.first)
  for (let seed = first; seed < first + Number(values.chains); seed += 1) {
    const random = mulberry(seed)
    const chain = Array.from({ length: 3 }, () => edits[Math.floor(random() * edits.length)]).filter(
      (one) => one !== undefined,
    )
    await find(chain, `seed ${seed}: `)
  }
  process.stdout.write(`${edits.length} edits, ${values.chains} chains, ${wrong.length} wrong\n`)
  process.exitCode = wrong.length === 0 && edits.length > 0 ? 0 : 1
}
