import { parseArgs } from 'node:util'
import { bareNs, engineCost } from './engine-cost.ts'
import { figureOf, figureText, type Figure } from './figure.ts'
import { kafka } from './kafka-figures.ts'
import { idle, latency, rescale, start } from './process-figures.ts'
import { QUERIES } from './queries.ts'
import { writeReadme } from './readme.ts'

/**
 * `npm run bench [-- name…] [--events N] [--rounds N] [--json]`: the figures of bench/README.md, each in fresh worker
 * processes pinned to one core. Without names all run and the tables of the README are written anew.
 */
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { events: { type: 'string' }, rounds: { type: 'string', default: '1' }, json: { type: 'boolean', default: false } },
})
const rounds = Number(options.rounds)
const events = options.events === undefined ? undefined : { short: Math.round(Number(options.events) / 4), long: Number(options.events) }

const SECTIONS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  generator: async () => [figureOf('generator alone', 'ns/event', Array.from({ length: rounds }, () => bareNs(4_000_000, 8_000_000)))],
  ...Object.fromEntries(Object.entries(QUERIES).map(([name, query]) => [name, async () => [await engineCost(name, query, rounds, events ?? query.events)]])),
  latency, start, idle, rescale, kafka: () => kafka(rounds),
}

const unknown = positionals.filter((name) => !(name in SECTIONS))
if (unknown.length > 0) {
  process.stderr.write(`bench: there is no ${unknown.join(', ')}; there are ${Object.keys(SECTIONS).join(', ')}\n`)
  process.exit(2)
}
const figures: Figure[] = []
for (const [name, section] of Object.entries(SECTIONS)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  for (const figure of await section()) {
    figures.push(figure)
    process.stdout.write(`${options.json ? JSON.stringify(figure) : figureText(figure)}\n`)
  }
}
if (positionals.length === 0) writeReadme(figures)
process.exit(0)
