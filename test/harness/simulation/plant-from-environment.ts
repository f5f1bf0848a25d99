import { plant } from './plant.ts'
import { isPlantedBugName } from './planted-bugs.ts'

/** `node --import` of this file plants the bug that MILLRACE_TEST_PLANT names in any program. */
const name = process.env['MILLRACE_TEST_PLANT'] ?? ''
if (!isPlantedBugName(name)) throw new Error(`MILLRACE_TEST_PLANT names no bug: "${name}"`)
plant(name)
