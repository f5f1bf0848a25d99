import { parseArgs } from 'node:util'
import { fuzzedDecoders } from './harness/fuzz/decoders.ts'
import { fuzz } from './harness/fuzz/fuzz-run.ts'

/** Mutations of real samples for every decoder: none may crash, hang or throw anything but a MillraceError. */
const PATIENCE_MS = 1000
const USAGE = `usage: node cli/node.js test/fuzz.ts [--decoder NAME] [--mutations N] [--seed S] [--first N]

  --decoder    only this one; all when left out
  --mutations  how many for each, default 100000
  --seed       what they are drawn from, default 0
  --first      the first of them, default 0
`

const { values } = parseArgs({
  options: {
    decoder: { type: 'string' },
    mutations: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '0' },
    first: { type: 'string', default: '0' },
  },
})
const names = (await fuzzedDecoders()).map(({ name }) => name)
const chosen = names.filter((name) => values.decoder === undefined || values.decoder === name)
const [mutations, seed, first] = [Number(values.mutations), Number(values.seed), Number(values.first)]
if (chosen.length === 0 || ![mutations, seed, first].every((number) => Number.isSafeInteger(number) && number >= 0)) {
  process.stderr.write(`${USAGE}\ndecoders: ${names.join(', ')}\n`)
  process.exitCode = 2
} else for (const name of chosen) await run(name)

async function run(decoder: string): Promise<void> {
  const startedAt = performance.now()
  const { refused, failures } = await fuzz({ decoder, seed, first, mutations, patienceMs: PATIENCE_MS })
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  process.stdout.write(
    `${decoder}: ${mutations} mutations, ${refused} refused, ${failures.length} failed, ${seconds} s\n`,
  )
  for (const { index, why } of failures) {
    process.stdout.write(
      `  ${why}\n  again: node cli/node.js test/fuzz.ts --decoder '${decoder}' --seed ${seed} --first ${index} --mutations 1\n`,
    )
  }
  if (failures.length > 0) process.exitCode = 1
}
