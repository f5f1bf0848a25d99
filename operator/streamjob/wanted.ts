import { executionPlan, subtasksOf } from '../../runtime/plan/chaining.ts'
import type { ConnectorDeclarations } from '../../runtime/graph/connector-declaration.ts'
import type { ExecutionPlan } from '../../runtime/plan/execution-plan.ts'
import type { JobGraph } from '../../runtime/graph/job-graph.ts'
import type { AutoscalerPolicy } from '../../runtime/control/job-report.ts'
import { validateJob, withReplicas } from '../../runtime/front/job-spec.ts'
import { MOST_PROBLEMS, type Origin, type Problem } from '../../runtime/graph/problems.ts'
import { isFields } from '../../runtime/model/fields.ts'
import type { Reach } from '../../runtime/model/reach.ts'
import type { ScaledOperator, StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import type { Pod } from '../kube/objects.ts'
import { coordinatorPod } from '../resources/coordinator-pod.ts'
import { hashOf } from '../resources/hash.ts'
import type { PodContext } from '../resources/job-pod.ts'
import { podProblems } from '../resources/pod-template.ts'
import { listeningSources, type ListeningSource } from '../resources/sender-service.ts'
import { inTemplate, templateHash } from '../resources/template.ts'
import { workerPod } from '../resources/worker-pod.ts'
import { policyOf, replicasOf, scaledGraph, scaledOperators } from './scaled-replicas.ts'
import { reachProblems } from './reach-problems.ts'
import { restoreProblems } from './restore-source.ts'

/** What should be there for a spec that passed: pure, the same in every pass. */
export interface Wanted {
  spec: StreamJobSpec
  /** What the coordinator gets: only the fields that say what is computed. */
  jobSpec: Readonly<Record<string, unknown>>
  /** Hash of jobSpec. */
  revision: string
  /** What a job that has never started is to start from. */
  restore: string | undefined
  /** All its pods are of this template. */
  template: string
  coordinator: Pod
  workers: readonly Pod[]
  /** The chain that the scale subresource speaks of. */
  scaleChain: string
  /** What its coordinator is to watch the load for; null: nothing. */
  autoscaler: AutoscalerPolicy | null
  /** The numbers of slots that differ from those of the spec, for the autoscaler's sake. */
  scaled: readonly ScaledOperator[]
  chains: readonly { readonly operators: readonly string[]; readonly slots: number }[]
  maxSubtasks: number
  /** Sources that senders connect to. */
  listening: readonly ListeningSource[]
}

/** A spec as it was read once for a whole pass: `graph` is there when nothing is wrong. */
export interface ReadSpec {
  problems: readonly Problem[]
  graph: JobGraph | undefined
}

export interface SpecLimits {
  /** Per job, so that one object cannot take the operator's memory and time for its pods. */
  maxSubtasks: number
  origin: Origin
  /** Undefined: no bound. */
  reach: Reach | undefined
}

export function readSpec(
  spec: StreamJobSpec,
  connectors: ConnectorDeclarations,
  { maxSubtasks, origin, reach }: SpecLimits,
): ReadSpec {
  const validation = validateJob(spec, connectors, origin)
  const platform = isFields(spec)
    ? [...podProblems(spec, origin).slice(0, MOST_PROBLEMS), ...restoreProblems(spec)]
    : []
  if ('problems' in validation) return { problems: [...validation.problems, ...platform], graph: undefined }
  const { graph } = validation
  const problems = [
    ...platform,
    ...sizeProblems(spec, graph, maxSubtasks),
    ...(reach === undefined ? [] : reachProblems(spec, graph, connectors, reach)).slice(0, MOST_PROBLEMS),
  ]
  return { problems, graph: problems.length > 0 ? undefined : graph }
}

/** What the pods of one job are made from, together. */
const MAX_TEMPLATE_BYTES = 4 * 1024 * 1024

function sizeProblems(spec: StreamJobSpec, graph: JobGraph, maxSubtasks: number): Problem[] {
  const subtasks = executionPlan(graph).chains.reduce((sum, { parallelism }) => sum + parallelism, 0)
  if (subtasks <= maxSubtasks) return templateProblems(spec, subtasks)
  return [
    {
      code: 'TOO_MANY_SUBTASKS',
      path: 'spec.replicas',
      message: `the job has ${subtasks} subtasks, a pod each; the operator takes ${maxSubtasks}`,
      hint: 'lower replicas of the job or of its operators, or have maxSubtasks of the operator raised',
    },
  ]
}

/** All pods are rendered in each pass over their job, while other jobs wait. */
function templateProblems(spec: StreamJobSpec, subtasks: number): Problem[] {
  const { podTemplate, env, resources, imagePullSecrets, modules } = spec
  const bytes = JSON.stringify([podTemplate, env, resources, imagePullSecrets, modules]).length
  if (bytes * subtasks <= MAX_TEMPLATE_BYTES) return []
  return [
    {
      code: 'PODS_TOO_LARGE',
      path: 'spec.podTemplate',
      message: `${subtasks} pods are made from ${bytes} bytes each (podTemplate, env, resources, imagePullSecrets and modules); the operator takes ${MAX_TEMPLATE_BYTES} together`,
      hint: 'move values to a ConfigMap and name it in envFrom, or lower replicas',
    },
  ]
}

/** `template`: that of pods which are there already and perhaps were rendered by an operator of another version. */
export function wantedOf(
  context: PodContext,
  graph: JobGraph,
  connectors: ConnectorDeclarations,
  { jobSpec, restore, template = templateHash(context) }: Pick<Wanted, 'jobSpec' | 'restore'> & { template?: string },
): Wanted {
  const scaled = scaledOperators(context.job, context.spec, graph)
  const plan = executionPlan(scaledGraph(graph, scaled))
  const scaledSpec = scaled.length === 0 ? jobSpec : withReplicas(jobSpec, replicasOf(scaled))
  return {
    spec: context.spec,
    jobSpec: scaledSpec,
    revision: hashOf(scaledSpec),
    restore,
    template,
    coordinator: inTemplate(coordinatorPod(context), template),
    workers: subtasksOf(plan).map(({ chain, slot }) =>
      inTemplate(workerPod(context, { chain: chain.id, slot }), template),
    ),
    scaleChain: scaleChainOf(executionPlan(graph)),
    autoscaler: policyOf(context.job.spec.autoscaler, graph),
    scaled,
    chains: plan.chains.map(({ operators, parallelism }) => ({
      operators: operators.map(({ id }) => id),
      slots: parallelism,
    })),
    maxSubtasks: context.settings.maxSubtasks,
    listening: listeningSources(plan, connectors),
  }
}

/**
 * `spec.replicas` scales every chain without its own parallelism. The HPA counts the pods of one of them, or it
 * would multiply: the chain of the first such source, else that of the first source.
 */
function scaleChainOf(plan: ExecutionPlan): string {
  const sources = plan.chains.filter((chain) => chain.operators[0]?.verb.kind === 'source')
  const unpinned = sources.find((chain) => chain.operators[0]?.parallelism === undefined)
  return (unpinned ?? sources[0] ?? plan.chains[0])?.id ?? ''
}

export function wantsToRun(job: StreamJob): boolean {
  return job.spec.desiredState !== 'Suspended'
}
