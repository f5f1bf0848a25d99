import { streamJobs } from '../operator/api/stream-job.ts'
import type { StreamJob, StreamJobSpec } from '../operator/api/stream-job.ts'
import { unlessNotFound } from '../operator/kube/errors.ts'
import type { Kube } from '../operator/kube/kube.ts'
import type { PodSettings } from '../operator/resources/job-pod.ts'
import { type EditClass, type EditPlan, type EditStep, planEdit } from '../operator/streamjob/edit-plan.ts'
import { readKept, withSettingsOf } from '../operator/streamjob/kept-specs.ts'
import { validateJob } from '../runtime/front/job-spec.ts'
import type { ConnectorDeclarations } from '../runtime/graph/connector-declaration.ts'
import type { JobGraph } from '../runtime/graph/job-graph.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import type { Console } from './console.ts'

export interface PlanRequest {
  /** The job of the file, which was read without an error. */
  name: string
  spec: StreamJobSpec
  output: 'text' | 'json'
}

/** What an edit is compared with. */
export type Running =
  | { kind: 'cluster'; kube: Kube; namespace: string }
  /** The spec of another file. */
  | { kind: 'file'; spec: StreamJobSpec }

/** What follows from a plan, for people. */
const EFFECTS: Readonly<Record<EditClass, string>> = {
  none: 'Nothing changes.',
  settings: 'What runs is not touched.',
  rescale: 'The job stops at a savepoint and goes on from it with other slots, in the processes that it has.',
  graph: 'The job stops at a savepoint and goes on from it, in the processes that it has.',
  pods: 'New pods start beside those that run; when they are ready, the job stops at a savepoint and goes on in them.',
  incompatible: 'The edit would be refused, since state would be lost; what runs goes on.',
}

/** Pods are rendered to be compared, never created: what an operator is configured with is the same on both sides. */
const SETTINGS: PodSettings = {
  image: 'image of the operator',
  imagePullPolicy: 'IfNotPresent',
  store: 'file:///checkpoints',
  storeVolume: { claim: 'claim', path: '/checkpoints' },
  addressing: 'service',
  encryption: 'on',
  maxSubtasks: Infinity,
}

/**
 * `millrace plan`: what an edit would do to a job that runs. Changes nothing. Exit code 1 when it would be refused, or when
 * there is nothing to compare it with.
 */
export async function plan(
  { name, spec, output }: PlanRequest,
  running: Running,
  connectors: ConnectorDeclarations,
  io: Console,
): Promise<0 | 1> {
  const job: StreamJob = { apiVersion: '', kind: 'StreamJob', metadata: { name }, spec }
  const before = running.kind === 'file' ? running.spec : await specThatRuns(running, name)
  if (before === undefined) {
    io.err(`There is no StreamJob ${name} to compare with: an apply would create it.\n`)
    return 1
  }
  const edit = planEdit(
    { spec: before, graph: graphOf(before, connectors, 'kept') },
    { spec, graph: graphOf(spec, connectors, 'written') },
    { job, spec, settings: SETTINGS, tokenSecret: '' },
  )
  io.out(output === 'json' ? `${JSON.stringify({ name, ...edit }, null, 2)}\n` : textOf(name, edit))
  return edit.class === 'incompatible' ? 1 : 0
}

/** The last good spec; that of the resource when the operator has kept none yet. */
async function specThatRuns(
  { kube, namespace }: Running & { kind: 'cluster' },
  name: string,
): Promise<StreamJobSpec | undefined> {
  const job = await unlessNotFound(kube.get(streamJobs, { namespace, name }))
  if (job === undefined) return undefined
  const { lastGood } = await readKept(kube, job)
  return lastGood === undefined ? job.spec : withSettingsOf(job.spec, lastGood)
}

function graphOf(spec: StreamJobSpec, connectors: ConnectorDeclarations, origin: 'kept' | 'written'): JobGraph {
  const read = validateJob(spec, connectors, origin)
  if ('graph' in read) return read.graph
  const [problem] = read.problems
  throw new MillraceError('SPEC_INVALID', `${problem?.path ?? 'spec'}: ${problem?.message ?? 'is invalid'}`, {
    domain: 'user',
    hint: 'millrace lint says all that is wrong',
  })
}

function textOf(name: string, { class: gravest, steps }: EditPlan): string {
  if (steps.length === 0) return `${name}: nothing changes.\n`
  const width = Math.max(...steps.map((step) => step.class.length))
  const fields = Math.max(...steps.map(({ field }) => field.length))
  const line = (step: EditStep): string => `  ${step.class.padEnd(width)}  ${step.field.padEnd(fields)}  ${step.what}`
  return `${name}: ${gravest}\n\n${steps.map(line).join('\n')}\n\n${EFFECTS[gravest]}\n`
}
