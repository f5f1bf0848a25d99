import type { ConnectorDeclarations } from '../../runtime/graph/connector-declaration.ts'
import { memberOf } from '../../runtime/model/fields.ts'
import type { ExecutionPlan } from '../../runtime/plan/execution-plan.ts'
import type { StreamJob } from '../api/stream-job.ts'
import type { Service } from '../kube/objects.ts'
import { hashOf } from './hash.ts'
import { jobObjectMetadata } from './job-objects.ts'
import { CHAIN_LABEL, JOB_LABEL, ROLE_LABEL } from './labels.ts'

/** A source that senders connect to. */
export interface ListeningSource {
  readonly operator: string
  readonly chain: string
  /** The same in each of its pods. */
  readonly ports: readonly number[]
}

export function listeningSources(plan: ExecutionPlan, { sources }: ConnectorDeclarations): ListeningSource[] {
  return plan.chains.flatMap((chain) =>
    chain.operators.flatMap(({ id, verb }) => {
      const ports = verb.kind === 'source' ? (memberOf(sources, verb.connector)?.listens?.(verb.options) ?? []) : []
      return ports.length === 0 ? [] : [{ operator: id, chain: chain.id, ports }]
    }),
  )
}

const LONGEST_NAME = 63

/** The Service behind which the pods of a listening source are: a name that senders can be given. */
export function senderServiceName(job: string, operator: string): string {
  const name = `${job}-${operator}-in`
  return name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME - 9)}-${hashOf(name).slice(0, 8)}`
}

export function senderService(job: StreamJob, { operator, chain, ports }: ListeningSource): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: jobObjectMetadata(job, senderServiceName(job.metadata.name, operator)),
    spec: {
      selector: { [JOB_LABEL]: job.metadata.name, [ROLE_LABEL]: 'worker', [CHAIN_LABEL]: chain },
      ports: ports.map((port) => ({ name: `in-${port}`, port, targetPort: port, protocol: 'TCP' })),
    },
  }
}
