import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fetchJars, javaMissing } from './maven.ts'
import { runCommand } from './run-command.ts'
import { spawnTied, type TiedProcess } from './tied-process.ts'

const SOURCES = join(import.meta.dirname, 'storm')

/** Why a real Storm can not run here, or undefined. */
export const stormBedMissing = javaMissing

export interface StormOptions {
  /** Where the compiled topology and its log go. */
  readonly dir: string
  /** Servers of Kafka. */
  readonly bootstrap: string
  readonly from: string
  readonly to: string
}

/**
 * Runs the topology of `storm/Doubling.java` in the local cluster of Storm 2.8.3: it doubles the numbers of one topic of
 * Kafka into another one, at least once. It ends with this process at the latest.
 */
export async function startDoubling({ dir, bootstrap, from, to }: StormOptions): Promise<TiedProcess> {
  const jars = await fetchJars('storm', join(SOURCES, 'pom.xml'), '160 MB, about 30 s', 'newer')
  const classes = join(dir, 'classes')
  mkdirSync(classes, { recursive: true })
  // the local cluster loads the parts of a topology by the names of their classes, which a program in one file has not
  await runCommand('javac', ['-cp', `${jars}/*`, '-d', classes, join(SOURCES, 'Doubling.java')], {
    bed: 'storm',
    doing: 'compiling the topology',
  })
  const java = ['-Xmx512m', '-XX:+UseSerialGC', '-cp', `${classes}:${jars}/*`, 'Doubling', bootstrap, from, to]
  return spawnTied('java', java, { log: join(dir, 'storm.log'), cwd: dir })
}
