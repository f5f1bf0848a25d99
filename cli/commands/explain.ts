import { Command } from '@commander-js/extra-typings'
import { type Cli, example, outputOption } from './cli.ts'

export const explainCommand = (cli: Cli) =>
  new Command('explain')
    .description('show the chains and slots of a job, and what travels between them')
    .argument('<job>', 'job.yaml or job.ts')
    .option('--code', 'print the JavaScript that is generated for each operator', false)
    .addOption(outputOption())
    .addHelpText('after', example('millrace explain --code examples/flights.yaml'))
    .action(async (file, { code, output }) => {
      const [{ explain }, { builtinConnectors }] = await Promise.all([
        import('../explain.ts'),
        import('../../runtime/builtin-connectors.ts'),
      ])
      cli.end(await explain(file, { output, show: code ? 'code' : 'plan' }, builtinConnectors, cli.console))
    })
