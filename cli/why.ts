import { streamJobs } from '../operator/api/stream-job.ts'
import type { StreamJob } from '../operator/api/stream-job.ts'
import { isNotFound } from '../operator/kube/errors.ts'
import type { Kube } from '../operator/kube/kube.ts'
import type { Console } from './console.ts'

export interface WhyRequest {
  name: string
  namespace: string
  output: 'text' | 'json'
}

/**
 * `millrace why JOB`: how a StreamJob is, and the newest decisions of the operator over it: what it saw, what it did,
 * and why. Exit code 1 when there is no such job.
 */
export async function why(kube: Kube, { name, namespace, output }: WhyRequest, io: Console): Promise<0 | 1> {
  let job: StreamJob
  try {
    job = await kube.get(streamJobs, { namespace, name })
  } catch (error) {
    if (!isNotFound(error)) throw error
    io.err(`There is no StreamJob ${name} in the namespace ${namespace}. Name another one with -n.\n`)
    return 1
  }
  io.out(output === 'json' ? `${JSON.stringify(explained(job), null, 2)}\n` : textOf(job))
  return 0
}

function explained({ metadata, status = {} }: StreamJob): object {
  const { phase = 'Pending', reason = '', message = '', conditions = [], decisions = [] } = status
  return { namespace: metadata.namespace, name: metadata.name, phase, reason, message, conditions, decisions }
}

function textOf({ metadata, status = {} }: StreamJob): string {
  const { phase = 'Pending', reason = '', message = '', conditions = [], decisions = [] } = status
  const head = `${metadata.namespace ?? ''}/${metadata.name} is ${phase}${reason === phase ? '' : ` (${reason})`}. ${message}`
  const facts = conditions
    .filter((one) => one.status !== 'True' && one.message !== '' && one.message !== message)
    .map((one) => `  ${one.type}=${one.status} ${one.reason}: ${one.message}`)
  const steps = decisions.map(
    ({ at, saw, did, reason: rule, because }) =>
      `  ${at}\n    saw  ${saw}\n    did  ${did}\n    why  ${rule}: ${because}`,
  )
  return `${[
    head.trimEnd(),
    ...facts,
    '',
    decisions.length === 0 ? 'The operator has decided nothing over it yet.' : 'The newest decisions, the newest last:',
    ...steps,
  ].join('\n')}\n`
}
