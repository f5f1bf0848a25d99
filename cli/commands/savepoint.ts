import { Command } from '@commander-js/extra-typings'
import { type Cli, example, outputOption, wholeNumber } from './cli.ts'

export const savepointCommand = (cli: Cli) =>
  new Command('savepoint')
    .description('look into a savepoint or checkpoint')
    .addCommand(inspectCommand(cli))
    .addCommand(readCommand(cli))

const inspectCommand = (cli: Cli) =>
  new Command('inspect')
    .description('print what a savepoint or checkpoint contains, and whether it is whole')
    .argument('<path>', 'the folder of the savepoint or checkpoint')
    .addOption(outputOption())
    .addHelpText('after', example('millrace savepoint inspect savepoints/flights-1'))
    .action(async (path, { output }) => {
      const { inspectSavepoint } = await import('../inspect-savepoint.ts')
      cli.end(await inspectSavepoint(path, output, cli.console.out))
    })

const readCommand = (cli: Cli) =>
  new Command('read')
    .description('print the state of an operator, entry by entry')
    .argument('<path>', 'the folder of the savepoint or checkpoint')
    .option('--operator <id>', 'may be left out when only one operator keeps state')
    .option('--table <name>', 'print the entries of this table only')
    .option('--key <name=value>', 'print the entries of this key only; several parts are separated by commas')
    .option('--limit <entries>', 'print at most so many entries', wholeNumber(1))
    .addOption(outputOption())
    .addHelpText('after', example('millrace savepoint read savepoints/flights-1 --operator delays --limit 10'))
    .action(async (path, { operator, table, key, limit, output }) => {
      const { readSavepoint } = await import('../read-savepoint.ts')
      cli.end(await readSavepoint({ path, operator, table, key, output, limit: limit ?? Infinity }, cli.console.out))
    })
