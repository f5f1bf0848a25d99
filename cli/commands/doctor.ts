import { Command } from '@commander-js/extra-typings'
import { type Cli, example, outputOption } from './cli.ts'

export const doctorCommand = (cli: Cli) =>
  new Command('doctor')
    .description('ask every system that a job needs whether it can be used; changes nothing')
    .argument('<job>', 'job.yaml or job.ts')
    .addOption(outputOption())
    .addHelpText('after', example('millrace doctor examples/druid-lookup.yaml'))
    .action(async (file, { output }) => {
      const [{ doctor }, { builtinConnectors }, { builtinStores }, { realPorts }, { createLogger }] = await Promise.all(
        [
          import('../doctor.ts'),
          import('../../runtime/builtin-connectors.ts'),
          import('../../runtime/builtin-stores.ts'),
          import('../../runtime/ports/real/ports.ts'),
          import('../../runtime/ports/real/logger.ts'),
        ],
      )
      const logger = createLogger({ to: 'stderr', level: 'error' })
      const ports = realPorts({ stores: builtinStores, logger, printLine: () => undefined })
      cli.end(await doctor(file, { output, connectors: builtinConnectors, ports }, cli.console))
    })
