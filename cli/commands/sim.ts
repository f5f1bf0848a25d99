import { Command, Option } from '@commander-js/extra-typings'
import { MillraceError } from '../../runtime/model/errors.ts'
import type { Comparison } from '../../sim/comparison.ts'
import { type Cli, example, outputOption, wholeNumber } from './cli.ts'

export const simCommand = (cli: Cli) =>
  new Command('sim')
    .description('run a job under virtual time with faults; its output must stay the same')
    .argument('<job>', 'job.yaml or job.ts')
    .option('--seeds <count>', 'how many runs, each with its own faults', wholeNumber(1), 100)
    .addOption(
      new Option('--seed <seed>', 'repeat one of the runs, with its log').argParser(wholeNumber(0)).conflicts('seeds'),
    )
    .option('--limit <rows>', 'read only the first rows of each file', wholeNumber(1))
    .option('--key <fields>', 'compare only these fields, separated by commas')
    .option('--order <field>', 'with --key: compare the last row of each key, by this field')
    .addOption(outputOption())
    .addHelpText('after', example('millrace sim examples/flights.yaml --seeds 500'))
    .action(async (file, { seeds, seed, limit, key, order, output }) => {
      const comparison = comparisonOf(key, order)
      const { sim } = await import('../sim.ts')
      cli.end(
        await sim(
          {
            file,
            output,
            limit,
            comparison,
            seeds: seed === undefined ? { kind: 'many', count: seeds } : { kind: 'one', seed },
          },
          cli.console,
        ),
      )
    })

function comparisonOf(key: string | undefined, order: string | undefined): Comparison {
  if (key !== undefined)
    return order === undefined ? { kind: 'fields', key: key.split(',') } : { kind: 'last', key: key.split(','), order }
  if (order === undefined) return { kind: 'whole' }
  throw new MillraceError(
    'USAGE',
    '--order names the field that decides which row of a key is last: --key is missing',
    {
      domain: 'user',
      hint: `--key FIELD --order ${order}`,
    },
  )
}
