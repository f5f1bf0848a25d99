import { runCommandLine } from './command-line.ts'
import { standardConsole } from './console.ts'
import { endWithStarter } from './end-with-starter.ts'

/** For what is written last to be read, and what ends by itself to do so. */
const LEFTOVERS_MS = 2_000

endWithStarter()
process.exitCode = await runCommandLine(process.argv.slice(2), standardConsole)
// A driver connects again by itself when its server comes back, and would hold a process whose work is done.
setTimeout(() => process.exit(), LEFTOVERS_MS).unref()
