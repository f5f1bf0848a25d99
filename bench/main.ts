import { parseArgs } from 'node:util'
import { bareNs, engineCost } from './engine-cost.ts'
import { figureOf, figureText, type Figure } from './figure.ts'
import { buildFlink, checkEvents, lackingForFlink, type FlinkSeconds } from './flink.ts'
import { FLINK_QUERIES } from './flink-queries.ts'
import { kafka } from './kafka-figures.ts'
import { idle, latency, rescale, rescaleWithState, start } from './process-figures.ts'
import { QUERIES } from './queries.ts'
import { writeReadme } from './readme.ts'
import { state } from './state.ts'

/**
 * `npm run bench [-- name…] [--events N] [--rounds N] [--with-flink] [--json]`: the figures of bench/README.md,
 * each in fresh worker processes pinned to one core. Without names all run and the tables of the README are written
 * anew. `--with-flink` runs Flink in turn with every query, `--flink-seconds N` of CPU each (and as many of
 * warm-up, at most 12).
 */
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    'with-flink': { type: 'boolean', default: false },
    'flink-seconds': { type: 'string', default: '15' },
  },
})
const rounds = Number(options.rounds)
const events =
  options.events === undefined
    ? undefined
    : { short: Math.round(Number(options.events) / 4), long: Number(options.events) }
const flink = options['with-flink'] ? flinkOf(Number(options['flink-seconds'])) : undefined

const SECTIONS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  generator: async () => [
    figureOf(
      'generator alone',
      'ns/event',
      Array.from({ length: rounds }, () => bareNs(4_000_000, 8_000_000)),
    ),
  ],
  ...Object.fromEntries(
    Object.entries(QUERIES).map(([name, query]) => [
      name,
      async () => [
        await engineCost(name, query, rounds, events ?? query.events, name in FLINK_QUERIES ? flink : undefined),
      ],
    ]),
  ),
  latency,
  start,
  idle,
  rescale,
  'rescale-state': rescaleWithState,
  state: () => Promise.resolve(state()),
  kafka: () => kafka(rounds, flink),
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
  // a run takes long: what it has is kept should it be cut off
  if (positionals.length === 0) writeReadme(figures, 'keep others')
}
if (positionals.length === 0) writeReadme(figures, 'only these')
process.exit(0)

function flinkOf(counted: number): FlinkSeconds | undefined {
  const lacking = lackingForFlink()
  if (lacking !== undefined) {
    process.stderr.write(`bench: Flink does not run, ${lacking}; ours alone, beside Flink's stored figures\n`)
    return undefined
  }
  buildFlink()
  checkEvents()
  return { warm: Math.min(counted, 12), counted }
}
