import { Command } from '@commander-js/extra-typings'
import { type Cli, example } from './cli.ts'

const EXAMPLE = 'examples/flights.yaml'

export const devCommand = (cli: Cli) =>
  new Command('dev')
    .description('serve a small Kubernetes API with the operator, for kubectl')
    .argument('[files...]', 'files to apply at the start')
    .option('--example', `apply ${EXAMPLE} and show what happens`, false)
    .option('--fresh', 'forget the jobs of the time before, which continue otherwise', false)
    .addHelpText('after', example('millrace dev --example'))
    .action(async (files, options) => {
      const { dev } = await import('../dev.ts')
      const all = options.example ? [...files, EXAMPLE] : files
      cli.end(await dev({ files: all, begin: options.fresh ? 'anew' : 'as-it-was' }))
    })
