// `npm test`: starts test/run.ts with the Node that the project brings along.
import { fileURLToPath } from 'node:url'
import { execNode26 } from '../cli/node.js'

execNode26(fileURLToPath(new URL('run.ts', import.meta.url)), process.argv.slice(2))
