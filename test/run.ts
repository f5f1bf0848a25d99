import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import { fetchCassandra } from './harness/beds/cassandra-bed.ts'
import { druidBedMissing, fetchDruid } from './harness/beds/druid-bed.ts'
import { fetchKafka, kafkaBedMissing } from './harness/beds/kafka-bed.ts'
import { fetchFlume, flumeBedMissing } from './harness/beds/flume-bed.ts'
import { fetchHbase } from './harness/beds/hbase-bed.ts'
import { fetchHdfs, hdfsBedMissing } from './harness/beds/hdfs-bed.ts'
import { fetchKudu, kuduBedMissing } from './harness/beds/kudu-bed.ts'
import { buildKube, kubeBedMissing } from './harness/beds/kube-bed.ts'
import { fetchNats, natsBedMissing } from './harness/beds/nats-bed.ts'
import { fetchPulsar } from './harness/beds/pulsar-bed.ts'
import { fetchPython, pythonBedMissing } from './harness/beds/python-bed.ts'
import { fetchS3, s3BedMissing } from './harness/beds/s3-bed.ts'
import { formatDuration } from './harness/beds/progress.ts'
import { endWithStarter } from '../cli/end-with-starter.ts'

/** `npm test`: the checks, then every ring this machine can carry, one after the other. See CONTRIBUTING. */

const ROOT = join(import.meta.dirname, '..')
const HEARTBEAT_MS = 60_000
const LINES_OF_A_FAILURE = 12

interface Ring {
  readonly name: string
  readonly limitMinutes: number
  /** Why this machine can not carry the ring. */
  missing(): string | undefined
  /** Fetches and builds what the ring needs, so that no test's time is spent on it. */
  prepare(): Promise<unknown>
}

const nothing = (): Promise<void> => Promise.resolve()
const RINGS: readonly Ring[] = [
  { name: 'unit', limitMinutes: 15, missing: () => undefined, prepare: nothing },
  { name: 'simulation', limitMinutes: 15, missing: () => undefined, prepare: nothing },
  { name: 'embedded', limitMinutes: 20, missing: embeddedMissing, prepare: nothing },
  {
    name: 'services',
    limitMinutes: 45,
    missing: () => kafkaBedMissing() ?? druidBedMissing(),
    // where a machine has no Kudu or no Python the tests leave themselves out and say so
    prepare: async () => [
      await fetchKafka(),
      await fetchDruid(),
      await fetchCassandra(),
      await fetchHbase(),
      await fetchPulsar(),
      ...(hdfsBedMissing() === undefined ? [await fetchHdfs()] : []),
      ...(flumeBedMissing() === undefined ? [await fetchFlume()] : []),
      ...(kuduBedMissing() === undefined ? [await fetchKudu()] : []),
      ...(s3BedMissing() === undefined ? [await fetchS3()] : []),
      ...(natsBedMissing() === undefined ? [await fetchNats()] : []),
      ...(pythonBedMissing() === undefined ? [await fetchPython('data'), await fetchPython('jupyter')] : []),
    ],
  },
  {
    name: 'cluster',
    limitMinutes: 30,
    missing: () => kubeBedMissing() ?? kafkaBedMissing() ?? druidBedMissing(),
    prepare: async () => [await fetchKafka(), await fetchDruid(), await buildKube()],
  },
]

interface Outcome {
  readonly name: string
  readonly verdict: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Each with the name of the test and what it said first. */
  readonly failures?: readonly string[]
}

endWithStarter()
const selected = selectedRings()
const outcomes: Outcome[] = [await check('types', 'typescript/bin/tsc', ['--noEmit'])]
outcomes.push(await check('lint', 'oxlint/bin/oxlint', ['--deny-warnings']))
outcomes.push(await check('format', '@biomejs/biome/bin/biome', ['format', '.']))
for (const ring of selected) outcomes.push(await runRing(ring))
report(outcomes)

function selectedRings(): readonly Ring[] {
  const { values } = parseArgs({ options: { ring: { type: 'string' } } })
  if (values.ring === undefined) return RINGS
  const names = values.ring.split(',')
  const unknown = names.filter((name) => !RINGS.some((ring) => ring.name === name))
  if (unknown.length > 0) {
    process.stderr.write(
      `test: no ring is called ${unknown.join(', ')}; there are ${RINGS.map((ring) => ring.name).join(', ')}\n`,
    )
    process.exit(2)
  }
  return RINGS.filter((ring) => names.includes(ring.name))
}

function embeddedMissing(): string | undefined {
  return process.platform === 'linux'
    ? undefined
    : 'every pod gets its own loopback address, which only Linux has without setting it up'
}

async function check(name: string, script: string, args: readonly string[]): Promise<Outcome> {
  headline(name)
  const started = Date.now()
  const ok = await runNode([join(ROOT, 'node_modules', script), ...args], { name, limitMinutes: 10 })
  const took = formatDuration(Date.now() - started)
  // a failed check counts as one failed test, so that the last line can not look clean; a passed one is no test
  return { name, verdict: ok ? `passed (${took})` : `FAILED (${took})`, passed: 0, failed: ok ? 0 : 1, skipped: 0 }
}

async function runRing(ring: Ring): Promise<Outcome> {
  headline(ring.name)
  const none = { name: ring.name, passed: 0, failed: 0, skipped: 0 }
  const missing = ring.missing()
  if (missing !== undefined) {
    process.stdout.write(`left out: ${missing}\n`)
    return { ...none, verdict: `left out: ${missing}` }
  }
  const started = Date.now()
  try {
    await ring.prepare()
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return { ...none, failed: 1, verdict: 'FAILED: what it needs could not be fetched or built (see above)' }
  }
  const counts = await runVitest(ring)
  const took = formatDuration(Date.now() - started)
  if (counts.passed + counts.failed === 0) {
    return { ...none, ...counts, failed: 1, verdict: 'FAILED: the machine can carry it and it has no tests' }
  }
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`
  const verdict = `${counts.failed === 0 ? 'passed' : 'FAILED'}: ${counts.passed} passed, ${counts.failed} failed${skipped} (${took})`
  return { name: ring.name, ...counts, verdict }
}

type Counts = Pick<Outcome, 'passed' | 'failed' | 'skipped' | 'failures'>

/** What this runner reads of vitest's JSON report. */
interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly TestFile[]
}

interface TestFile {
  readonly status: string
  /** Why the file as a whole failed. */
  readonly message: string
  readonly name: string
  readonly assertionResults: readonly {
    readonly status: string
    readonly fullName: string
    readonly failureMessages: readonly string[]
  }[]
}

async function runVitest(ring: Ring): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  const file = join(folder, 'report.json')
  try {
    const args = [
      'run',
      '--project',
      ring.name,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      '--passWithNoTests',
    ]
    const ok = await runNode([join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), ...args], ring)
    if (!existsSync(file)) return { passed: 0, failed: ok ? 0 : 1, skipped: 0 }
    const result = JSON.parse(readFileSync(file, 'utf8')) as VitestReport
    // a file that fails outside of its tests (an import, a hook) has no failed test to count
    const brokenFiles = result.testResults.filter(
      (entry) => entry.status === 'failed' && !entry.assertionResults.some((test) => test.status === 'failed'),
    ).length
    const failed = result.numFailedTests + brokenFiles
    return {
      passed: result.numPassedTests,
      failed: failed === 0 && !ok ? 1 : failed,
      skipped: result.numPendingTests + result.numTodoTests,
      failures: result.testResults.flatMap(failuresOf),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function failuresOf(file: TestFile): string[] {
  if (file.status !== 'failed') return []
  const name = relative(ROOT, file.name)
  const failed = file.assertionResults.filter((test) => test.status === 'failed')
  if (failed.length === 0) return [`${name}\n${beginning(file.message)}`]
  return failed.map((test) => `${name} > ${test.fullName}\n${beginning(test.failureMessages[0] ?? '')}`)
}

function beginning(message: string): string {
  return stripVTControlCharacters(message)
    .split('\n')
    .slice(0, LINES_OF_A_FAILURE)
    .map((line) => `    ${line.slice(0, 300)}`)
    .join('\n')
}

/** Runs a script with this Node, its output passed through; false when it fails or takes longer than its limit. */
function runNode(
  argv: readonly string[],
  about: { readonly name: string; readonly limitMinutes: number },
): Promise<boolean> {
  const started = Date.now()
  return new Promise((resolve) => {
    const child = spawn(process.execPath, argv, { cwd: ROOT, stdio: 'inherit' })
    const heartbeat = setInterval(
      () => process.stdout.write(`  [${about.name}] running for ${formatDuration(Date.now() - started)}\n`),
      HEARTBEAT_MS,
    )
    const limit = setTimeout(() => {
      process.stdout.write(`  [${about.name}] ended: it took longer than ${about.limitMinutes} min\n`)
      child.kill('SIGTERM')
    }, about.limitMinutes * 60_000)
    const passOn = (signal: NodeJS.Signals): void => void child.kill(signal)
    process.on('SIGTERM', passOn)
    child.on('error', (error) => process.stdout.write(`${error.message}\n`))
    child.on('close', (code) => {
      clearInterval(heartbeat)
      clearTimeout(limit)
      process.off('SIGTERM', passOn)
      resolve(code === 0)
    })
  })
}

function headline(name: string): void {
  process.stdout.write(`\n── ${name} ${'─'.repeat(Math.max(0, 70 - name.length))}\n`)
}

function report(all: readonly Outcome[]): void {
  const sum = (field: 'passed' | 'failed' | 'skipped'): number =>
    all.reduce((total, outcome) => total + outcome[field], 0)
  // once more at the end: a long log is often kept only from there
  const failures = all.flatMap((outcome) => outcome.failures ?? [])
  if (failures.length > 0) headline('failed')
  for (const failure of failures) process.stdout.write(`${failure}\n`)
  headline('all')
  for (const outcome of all) process.stdout.write(`${outcome.name.padEnd(12)}${outcome.verdict}\n`)
  const skipped = sum('skipped') === 0 ? '' : `, ${sum('skipped')} skipped`
  process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped}\n`)
  process.exitCode = sum('failed') === 0 ? 0 : 1
}
