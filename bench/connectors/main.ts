import { parseArgs } from 'node:util'
import { figureText } from '../figure.ts'
import { writeReadme } from '../readme.ts'
import { brokerFigures } from './brokers.ts'
import { kuduFigures } from './kudu.ts'

/** `npm run bench:connectors [-- --rounds N] [--json]`: connectors against their real servers (bench/README.md). */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  process.stdout.write('npm run bench:connectors -- --rounds 5 --json\n')
  process.exit(0)
}
const rounds = Number(options.rounds)
const figures = [...(await kuduFigures(rounds)), ...(await brokerFigures(rounds))]
process.stdout.write(
  options.json ? `${JSON.stringify(figures, null, 2)}\n` : figures.map((figure) => `${figureText(figure)}\n`).join(''),
)
if (!options.json) writeReadme(figures, 'keep others')
