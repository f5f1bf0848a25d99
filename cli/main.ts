import { runCommandLine } from './command-line.ts'
import { standardConsole } from './console.ts'
import { endWithStarter } from './end-with-starter.ts'

endWithStarter()
process.exitCode = await runCommandLine(process.argv.slice(2), standardConsole)
