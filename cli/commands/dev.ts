import { Command } from '@commander-js/extra-typings'
import { type Cli, example } from './cli.ts'

const EXAMPLE = 'examples/flights.yaml'

export const devCommand = (cli: Cli) =>
  new Command('dev')
    .description('serve a small Kubernetes API with the operator, for kubectl')
    .argument('[files...]', 'files to apply at the start')
    .option('--example', `apply ${EXAMPLE} and show what happens`, false)
    .addHelpText('after', example('millrace dev --example'))
    .action(async (files, options) => {
      const { dev } = await import('../dev.ts')
      cli.end(await dev({ files: options.example ? [...files, EXAMPLE] : files }))
    })
