import type { OperationType } from '../operator/api/stream-job.ts'
import { OperatorMetrics } from '../operator/controller/metrics.ts'
import { CONDITION_TYPES } from '../operator/kube/condition-types.ts'
import { REASONS } from '../operator/kube/reasons.ts'
import { PHASE_OF, SUPERSEDES } from '../operator/streamjob/phases.ts'
import { JOB_METRICS } from '../runtime/coordinator/metrics.ts'

/** docs/operations.md, made from the tables that the operator and the coordinator themselves use. */
export async function operationsPage(): Promise<string> {
  const operator = (await new OperatorMetrics().registry.getMetricsAsJSON()).map(({ name, type, help }) => ({
    name,
    type: String(type),
    help,
  }))
  return `${[
    '# What Millrace says about itself',
    NOTE,
    INTRODUCTION,
    '## Operations',
    OPERATIONS_NOTE,
    table(['Operation', 'Phase', 'Gives way to'], operationRows()),
    drawing(),
    '## Conditions',
    table(
      ['Condition', 'Kinds', 'True means'],
      Object.entries(CONDITION_TYPES).map(([type, { of, means }]) => [code(type), of.join(', '), means]),
    ),
    '## Reasons and Events',
    REASONS_NOTE,
    table(['Reason', 'Meaning', 'What to do'], reasonRows()),
    '## Metrics of a job',
    METRICS_NOTE,
    metricTable(JOB_METRICS),
    '## Metrics of the operator',
    metricTable(operator),
  ].join('\n\n')}\n`
}

const NOTE =
  '<!-- Written by scripts/operations-docs.ts from operator/kube/reasons.ts, operator/kube/condition-types.ts and the metrics. -->'

const INTRODUCTION =
  'Conditions follow [kstatus](https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus): `kubectl wait`, Argo CD and Flux need no script for them. The message of a condition or Event says which object is meant, with its values. `millrace why NAME` shows how a job came to be as it is.'

const OPERATIONS_NOTE =
  'An operation brings a StreamJob nearer to its spec: it stands in `status.operation` while it is under way, and in `status.lastOperation` when it has ended. It is written into the status before its first act, so that an operator that is started again goes on with it. Some give way to others before they have ended; all others wait.'

const REASONS_NOTE =
  'A reason stands in a condition, in an Event, or in both. Reasons that are not listed are a word of somebody else in CamelCase, and their messages say what to do: the code of an error that a job reports (`KAFKA_UNREACHABLE` as `KafkaUnreachable`), a state of a Druid supervisor, why a kubelet ended a pod, or a kind of object that the API server does not take (`ControllerRevisionRefused`).'

const METRICS_NOTE = 'Labels, and metrics that operators of a job measure themselves: [metrics](metrics.md).'

function operationRows(): string[][] {
  return Object.entries(SUPERSEDES).map(([type, next]) => [
    code(type),
    code(PHASE_OF[type as OperationType]),
    next.map(code).join(', ') || 'nothing',
  ])
}

function drawing(): string {
  const arrows = Object.entries(SUPERSEDES).flatMap(([type, next]) => [
    type === 'Delete' ? `  ${type} --> [*]` : `  ${type} --> ${type === 'Suspend' ? 'Suspended' : 'Running'}`,
    ...next.map((one) => `  ${type} --> ${one}: gives way`),
  ])
  const begun = ['Rescale', 'Upgrade', 'Recover', 'Suspend', 'Delete'].map((type) => `  Running --> ${type}`)
  const lines = ['  [*] --> Deploy', ...begun, '  Suspended --> Resume', '  Suspended --> Delete', ...arrows]
  return ['```mermaid', 'stateDiagram-v2', ...lines, '```'].join('\n')
}

function reasonRows(): string[][] {
  return Object.entries<{ means: string; act?: string }>(REASONS)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([reason, { means, act = '' }]) => [code(reason), means, act])
}

function metricTable(metrics: readonly { name: string; type: string; help: string }[]): string {
  return table(
    ['Metric', 'Type', 'Meaning'],
    metrics.map(({ name, type, help }) => [code(name), type, `${help}.`]),
  )
}

function code(text: string): string {
  return `\`${text}\``
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}
