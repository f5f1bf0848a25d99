import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cacheFolder, hashOfFiles, listingOf } from './cache-folder.ts'
import { withLock } from './lock.ts'
import { formatDuration, say } from './progress.ts'
import { findProgram, runCommand } from './run-command.ts'

/** Why jars can neither be fetched nor run on this machine, or undefined. */
export function javaMissing(): string | undefined {
  const missing = ['java', 'javac', 'mvn'].filter((name) => findProgram(name) === undefined)
  return missing.length === 0
    ? undefined
    : `no ${missing.join(', no ')} on the PATH (a JDK 17 or newer and Maven are needed)`
}

/** Gathers dependencies breadth first, which the Maven of Debian (3.8) cannot: with Pulsar's it does not end. */
const NEWER_MAVEN = '3.9.9'

const MAVEN_OPTIONS = ['-B', '-ntp', `-Dmaven.repo.local=${cacheFolder('maven', 'repository')}`]

/**
 * The folder that holds the jars of a pom.xml with all they need. Fetched with mvn the first time and kept under
 * the cache folder, keyed by the pom; a later run compares names and sizes with what was fetched, and fetches again
 * if they differ. Two runs at once wait for each other.
 */
export function fetchJars(
  bed: string,
  pom: string,
  about: string,
  maven: 'installed' | 'newer' = 'installed',
): Promise<string> {
  const key = hashOfFiles(dirname(pom), [pom])
  const home = cacheFolder('maven', `${bed}-${key}`)
  const jars = join(home, 'lib')
  const marker = join(home, 'complete')
  const isComplete = (): boolean =>
    existsSync(marker) && existsSync(jars) && readFileSync(marker, 'utf8') === listingOf(jars)
  return withLock(bed, home, async () => {
    if (isComplete()) return jars
    const started = Date.now()
    say(bed, `fetching its jars with mvn into ${home} (${about})`)
    const fresh = join(home, 'lib.part')
    rmSync(fresh, { recursive: true, force: true })
    await runCommand(
      maven === 'installed' ? 'mvn' : await fetchMaven(),
      [
        ...MAVEN_OPTIONS,
        '-f',
        pom,
        ...(maven === 'installed' ? [] : ['-Daether.dependencyCollector.impl=bf']),
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${fresh}`,
      ],
      { bed, doing: 'fetching jars' },
    )
    rmSync(jars, { recursive: true, force: true })
    renameSync(fresh, jars)
    writeFileSync(marker, listingOf(jars))
    say(bed, `jars fetched in ${formatDuration(Date.now() - started)}`)
    return jars
  })
}

/** The program of a newer Maven, fetched with the one that is installed. */
function fetchMaven(): Promise<string> {
  const home = cacheFolder('maven', `maven-${NEWER_MAVEN}`)
  const program = join(home, `apache-maven-${NEWER_MAVEN}`, 'bin', 'mvn')
  const marker = join(home, 'complete')
  return withLock('maven', home, async () => {
    if (existsSync(marker) && existsSync(program)) return program
    mkdirSync(home, { recursive: true })
    await runCommand(
      'mvn',
      [
        ...MAVEN_OPTIONS,
        'dependency:unpack',
        `-Dartifact=org.apache.maven:apache-maven:${NEWER_MAVEN}:zip:bin`,
        `-DoutputDirectory=${home}`,
      ],
      // what it remembers of unpacking goes into the current folder
      { bed: 'maven', doing: `fetching Maven ${NEWER_MAVEN}`, cwd: home },
    )
    chmodSync(program, 0o755)
    writeFileSync(marker, '')
    return program
  })
}
