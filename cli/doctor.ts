import { dirname, resolve } from 'node:path'
import type { Connectors } from '../runtime/connectors/registry.ts'
import { planJob } from '../runtime/front/planned-job.ts'
import type { OperatorNode } from '../runtime/graph/job-graph.ts'
import { definitionOf } from '../runtime/graph/verbs/all.ts'
import { errorReport, type ErrorReport, MillraceError } from '../runtime/model/errors.ts'
import { printable } from '../runtime/model/printable.ts'
import type { Ports } from '../runtime/ports/ports.ts'
import { type Asked, type Probe, probeOf, storeProbe } from './connector-probes.ts'
import type { Console } from './console.ts'
import { findingsText, readJob } from './read-job.ts'

/** Connectors report a system that does not answer within 15 s; this ends what neither answers nor reports. */
const LIMIT_MS = 20_000

/** One system that the job needs. */
interface Finding {
  /** Or `checkpoints`. */
  readonly operator: string
  /** `store s3`, `source kafka`, `sink kudu`, `table of cassandra`, `a service`. */
  readonly system: string
  readonly outcome: 'reached' | 'failed' | 'not looked at'
  /** The finding, the reason of a failure, or the reason why nobody looked. */
  readonly message: string
  readonly error?: ErrorReport
}

/**
 * `millrace doctor JOB`: asks every system that the job reads, writes, looks rows up in or keeps its state in, as the job would, and changes
 * nothing. Exit code 1 when one of them does not answer or refuses, 2 when the job has mistakes.
 */
export async function doctor(
  file: string,
  { output, connectors, ports }: { output: 'text' | 'json'; connectors: Connectors; ports: Ports },
  io: Console,
): Promise<0 | 1 | 2> {
  const { name: job, spec, findings } = await readJob(file, connectors)
  if (spec === undefined || findings.some(({ severity }) => severity === 'error')) {
    io.err(findingsText(findings))
    return 2
  }
  const { graph } = planJob(spec, connectors)
  const asked = { job, connectors, ports, baseDir: dirname(resolve(file)) }
  const looks = [storeFinding(graph.checkpoints.store, asked), ...graph.operators.map((node) => findingOf(node, asked))]
  const found = (await Promise.all(looks)).filter((finding) => finding !== undefined)
  io.out(output === 'json' ? `${JSON.stringify(found, null, 2)}\n` : found.map(findingText).join(''))
  return found.some(({ outcome }) => outcome === 'failed') ? 1 : 0
}

type Surroundings = Pick<Asked, 'connectors' | 'ports' | 'baseDir' | 'job'>

/** A store that the job names; the one of the operator, or the default folder, is not its own. */
async function storeFinding(url: string | undefined, surroundings: Surroundings): Promise<Finding | undefined> {
  if (url === undefined) return undefined
  const { system, look } = storeProbe(url)
  return lookedAt({ operator: 'checkpoints', system }, look, surroundings)
}

async function findingOf(node: OperatorNode, surroundings: Surroundings): Promise<Finding | undefined> {
  const { id: operator, verb } = node
  const probe = await probeOf(node, surroundings.connectors)
  if (probe === undefined) {
    const system = definitionOf(node).service(verb)
    return system === undefined
      ? undefined
      : { operator, system, outcome: 'not looked at', message: 'what it is asked depends on the rows' }
  }
  const { system, look } = probe
  if (look === undefined)
    return { operator, system, outcome: 'not looked at', message: 'its connector cannot be asked' }
  return lookedAt({ operator, system }, look, surroundings)
}

async function lookedAt(
  { operator, system }: Pick<Finding, 'operator' | 'system'>,
  look: NonNullable<Probe['look']>,
  surroundings: Surroundings,
): Promise<Finding> {
  const { promise: trouble, reject } = Promise.withResolvers<never>()
  const stopping = new AbortController()
  const cancel = surroundings.ports.clock.after(LIMIT_MS, () => {
    reject(new MillraceError('DOCTOR_TIMEOUT', `no answer within ${LIMIT_MS / 1000} s`, { domain: 'dependency' }))
  })
  const reportTrouble = (error: Error | null): void => {
    if (error !== null) reject(error)
  }
  try {
    const asked = look({ ...surroundings, stopping: stopping.signal, reportTrouble })
    return { operator, system, outcome: 'reached', message: await Promise.race([asked, trouble]) }
  } catch (error) {
    const report = errorReport(error)
    return { operator, system, outcome: 'failed', message: report.message, error: report }
  } finally {
    cancel()
    stopping.abort()
  }
}

const MARKS: Readonly<Record<Finding['outcome'], string>> = { reached: '✓', failed: '✗', 'not looked at': '–' }

function findingText({ operator, system, outcome, message, error }: Finding): string {
  const code = error === undefined ? '' : `${error.code} `
  const hint = error?.hint === undefined ? '' : `    ${error.hint}\n`
  return `${MARKS[outcome]} ${operator}: ${system}: ${code}${printable(message)}\n${hint}`
}
