import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { describeWithCauses, MillraceError } from '../runtime/model/errors.ts'
import { printable } from '../runtime/model/printable.ts'
import { type Cli, example } from './commands/cli.ts'
import { compileCommand } from './commands/compile.ts'
import { doctorCommand } from './commands/doctor.ts'
import { devCommand } from './commands/dev.ts'
import { explainCommand } from './commands/explain.ts'
import { inferCommand } from './commands/infer.ts'
import { kernelCommand } from './commands/kernel.ts'
import { lintCommand } from './commands/lint.ts'
import { runCommand } from './commands/run.ts'
import { savepointCommand } from './commands/savepoint.ts'
import { planCommand } from './commands/plan.ts'
import { whyCommand } from './commands/why.ts'
import { simCommand } from './commands/sim.ts'
import type { Console } from './console.ts'

/**
 * Runs the command that `args` name and returns its exit code: 2 when the command line is wrong, 1 when the command
 * threw. A command loads its code when it runs, so that `lint` starts without the operator and the API server.
 */
export async function runCommandLine(args: readonly string[], console: Console): Promise<number> {
  let exitCode = 0
  const end = (code: number): void => {
    exitCode = code
  }
  try {
    await millrace({ console, end }).parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    // The library has already printed these: an exit code of 0 is that of --help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    console.err(errorText(error))
    return error instanceof MillraceError && error.code === 'USAGE' ? 2 : 1
  }
}

/** The `millrace` command with its subcommands. */
export function millrace(cli: Cli): CommandUnknownOpts {
  const program: CommandUnknownOpts = new Command('millrace')
    // so that `explain connector kafka -o json` is the option of the innermost command
    .enablePositionalOptions()
    .description('Stream jobs on Kubernetes and on this machine.')
    .exitOverride()
    .configureOutput({
      writeOut: cli.console.out,
      writeErr: cli.console.err,
      outputError: (text, write) => {
        write(text.replace(/^error: /, 'millrace: USAGE '))
      },
    })
    .addHelpText('after', example('millrace run examples/flights.yaml'))
  const commands = [runCommand, lintCommand, doctorCommand, explainCommand, simCommand, compileCommand, inferCommand]
  for (const command of [...commands, savepointCommand, planCommand, whyCommand, kernelCommand, devCommand])
    program.addCommand(command(cli))
  inheritSettings(program, 'millrace')
  return program
}

/** Subcommands that are built on their own do not inherit how errors end and where text is written. */
function inheritSettings(parent: CommandUnknownOpts, path: string): void {
  parent.showHelpAfterError(`  ${path} --help lists ${parent.commands.length === 0 ? 'its options' : 'the commands'}`)
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent)
    inheritSettings(command, `${path} ${command.name()}`)
  }
}

function errorText(error: unknown): string {
  const code = error instanceof MillraceError ? `${error.code} ` : ''
  const hint = error instanceof MillraceError && error.hint !== undefined ? `\n  ${error.hint}` : ''
  return printable(`millrace: ${code}${describeWithCauses(error)}${hint}\n`)
}
