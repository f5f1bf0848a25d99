import { Command, Option } from '@commander-js/extra-typings'
import type { KernelPlace } from '../kernel/kernelspec.ts'
import { type Cli, example } from './cli.ts'

export const kernelCommand = (cli: Cli) =>
  new Command('kernel')
    .description('run jobs in the cells of Jupyter notebooks')
    .addCommand(installCommand(cli))
    .addCommand(uninstallCommand(cli))
    .addCommand(startCommand(cli))

const placeCommand = (name: 'install' | 'uninstall') =>
  new Command(name)
    .addOption(new Option('--user', 'for this user, which is the default').conflicts('prefix'))
    .option('--prefix <dir>', 'in share/jupyter of this folder, as of a virtual environment of Python')
    .addHelpText('after', example(`millrace kernel ${name} --prefix .venv`))

const placeOf = (prefix: string | undefined): KernelPlace =>
  prefix === undefined ? { kind: 'user' } : { kind: 'prefix', prefix }

const installCommand = (cli: Cli) =>
  placeCommand('install')
    .description('let Jupyter find the kernel')
    .action(async ({ prefix }) => {
      const { installKernel } = await import('../kernel/kernelspec.ts')
      cli.console.out(`installed ${installKernel(placeOf(prefix))}\n`)
      cli.end(0)
    })

const uninstallCommand = (cli: Cli) =>
  placeCommand('uninstall')
    .description('remove what install has written')
    .action(async ({ prefix }) => {
      const { uninstallKernel } = await import('../kernel/kernelspec.ts')
      cli.console.out(`removed ${uninstallKernel(placeOf(prefix))}\n`)
      cli.end(0)
    })

const startCommand = (cli: Cli) =>
  new Command('start')
    .description('be a kernel; Jupyter calls this')
    .requiredOption('--connection-file <file>', 'where to listen, written by Jupyter')
    .addHelpText('after', example('millrace kernel start --connection-file kernel-1.json'))
    .action(async ({ connectionFile }) => {
      const { startKernel } = await import('../kernel/start.ts')
      cli.end(await startKernel(connectionFile, cli.console))
    })
