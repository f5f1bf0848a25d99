import { Command, Option } from '@commander-js/extra-typings'
import { type Cli, example, outputOption, typeCheckOptions } from './cli.ts'

const [checked, unchecked] = typeCheckOptions()

export const runCommand = (cli: Cli) =>
  new Command('run')
    .description('run a job here: coordinator and workers as processes, no Kubernetes')
    .argument('<job>', 'job.yaml or job.ts')
    .option('--in-process', 'run coordinator and workers in this process', false)
    .option('--resume <id>', 'continue with the state of an earlier run')
    .option('--restore <path>', 'start from a savepoint or checkpoint of another job')
    .addOption(
      new Option('--log <level>', 'how much is logged')
        .choices(['info', 'debug', 'silent'] as const)
        .default('silent' as const),
    )
    .addOption(checked)
    .addOption(unchecked)
    .addOption(outputOption())
    .addHelpText('after', example('millrace run examples/flights.yaml'))
    .action(async (file, { inProcess, resume, restore, log, output, typeCheck }) => {
      const [{ run }, { typeCheckOf }] = await Promise.all([import('../run.ts'), import('../type-check.ts')])
      cli.end(await run({ file, inProcess, output, resume, restore, logLevel: log, typeCheck: typeCheckOf(typeCheck) }))
    })
