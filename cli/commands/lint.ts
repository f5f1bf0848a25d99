import { readFile } from 'node:fs/promises'
import { Command } from '@commander-js/extra-typings'
import { type Cli, example, outputOption } from './cli.ts'

export const lintCommand = (cli: Cli) =>
  new Command('lint')
    .description('check job files and report file, line and column of each problem')
    .argument('[jobs...]', 'files, each job.yaml or job.ts')
    .addOption(outputOption())
    .addHelpText('after', example('millrace lint examples/flights.yaml'))
    .action(async (files, { output }) => {
      const [{ lint }, { findingsOfModule, isJobModule, loadJobModule }, { builtinConnectors }] = await Promise.all([
        import('../lint.ts'),
        import('../job-module.ts'),
        import('../../runtime/builtin-connectors.ts'),
      ])
      cli.end(
        await lint(
          files,
          { output, connectors: builtinConnectors },
          {
            ...cli.console,
            readText: (path) => readFile(path, 'utf8'),
            moduleFindings: (path, text) =>
              isJobModule(path)
                ? loadJobModule(path).then((job) => findingsOfModule(path, job, builtinConnectors, text))
                : undefined,
          },
        ),
      )
    })
