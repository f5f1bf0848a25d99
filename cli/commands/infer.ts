import { Command } from '@commander-js/extra-typings'
import { type Cli, example, outputOption } from './cli.ts'

export const inferCommand = (cli: Cli) =>
  new Command('infer')
    .description('print the schema that a sample of JSON lines or CSV suggests, or that a file of Avro has')
    .argument('<from>', 'a file, or with --brokers a topic')
    .option('--brokers <host:port>', 'read a topic instead of a file')
    .addOption(outputOption())
    .addHelpText('after', example('millrace infer bids --brokers localhost:9092'))
    .action(async (from, { brokers, output }) => {
      const [{ infer }, { connectKafka }, { createLogger }, { builtinStores }, { realPorts }] = await Promise.all([
        import('../infer.ts'),
        import('../../runtime/connectors/kafka/real/client.ts'),
        import('../../runtime/ports/real/logger.ts'),
        import('../../runtime/builtin-stores.ts'),
        import('../../runtime/ports/real/ports.ts'),
      ])
      const logger = createLogger({ to: 'stderr', level: 'error' })
      const ports = realPorts({ stores: builtinStores, logger, printLine: () => undefined })
      cli.end(await infer({ from, brokers, output }, { ports, connect: connectKafka, out: cli.console.out }))
    })
