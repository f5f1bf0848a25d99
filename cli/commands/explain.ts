import { Command } from '@commander-js/extra-typings'
import { type Cli, example, outputOption } from './cli.ts'

const connectorCommand = (cli: Cli) =>
  new Command('connector')
    .description('show the options of a connector')
    .argument('<name>', 'as in source: { NAME: … }')
    .addOption(outputOption())
    .addHelpText('after', example('millrace explain connector kafka'))
    .action(async (name, { output }) => {
      const [{ explainConnector }, { builtinConnectors }] = await Promise.all([
        import('../explain-connector.ts'),
        import('../../runtime/builtin-connectors.ts'),
      ])
      cli.end(explainConnector(name, output, builtinConnectors, cli.console))
    })

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
    .addCommand(connectorCommand(cli))
