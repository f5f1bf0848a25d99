import { say } from './progress.ts'
import { findProgram, runCommand } from './run-command.ts'

/** Program → the Debian package that brings it. */
export type Needed = Readonly<Record<string, string>>

/** Why the programs can not be had here, or undefined: they are there, or this is root on a machine with apt-get. */
export function programsMissing(needed: Needed): string | undefined {
  const missing = Object.keys(needed).filter((program) => findProgram(program) === undefined)
  if (missing.length === 0 || canInstall()) return undefined
  return `no ${missing.join(', no ')} on the PATH, and this is not root on a machine with apt-get that could install them`
}

/** Installs what is missing with apt-get, saying which packages; nothing happens when all programs are there. */
export async function installPrograms(bed: string, needed: Needed): Promise<void> {
  const packages = Object.entries(needed)
    .filter(([program]) => findProgram(program) === undefined)
    .map(([, name]) => name)
  if (packages.length === 0) return
  say(
    bed,
    `INSTALLING INTO THIS SYSTEM with apt-get: ${packages.join(' ')} (remove with: apt-get remove ${packages.join(' ')})`,
  )
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await runCommand('apt-get', ['update', '-q'], { bed, doing: 'apt-get update', env })
  const install = ['install', '-y', '-q', '--no-install-recommends', ...packages]
  await runCommand('apt-get', install, { bed, doing: 'apt-get install', env })
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && findProgram('apt-get') !== undefined
}
