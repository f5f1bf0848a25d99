import { readFile } from 'node:fs/promises'
import { Command } from '@commander-js/extra-typings'
import { type Cli, example, outputOption, typeCheckOptions } from './cli.ts'

const [checked, unchecked] = typeCheckOptions()

export const lintCommand = (cli: Cli) =>
  new Command('lint')
    .description('check job files and report file, line and column of each problem')
    .argument('[jobs...]', 'files, each job.yaml or job.ts')
    .addOption(checked)
    .addOption(unchecked)
    .addOption(outputOption())
    .addHelpText('after', example('millrace lint examples/flights.yaml'))
    .action(async (files, { output, typeCheck }) => {
      const [{ lint }, { isJobModule, readJobModule }, { typeCheckOf }, { builtinConnectors }] = await Promise.all([
        import('../lint.ts'),
        import('../job-module.ts'),
        import('../type-check.ts'),
        import('../../runtime/builtin-connectors.ts'),
      ])
      cli.end(
        await lint(
          files,
          { output, connectors: builtinConnectors },
          {
            ...cli.console,
            readText: (path) => readFile(path, 'utf8'),
            moduleFindings: (path) =>
              isJobModule(path)
                ? readJobModule(path, builtinConnectors, typeCheckOf(typeCheck)).then(({ findings }) => findings)
                : undefined,
          },
        ),
      )
    })
