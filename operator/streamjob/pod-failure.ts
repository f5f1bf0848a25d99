import type { PodFailure } from '../api/stream-job.ts'
import type { ContainerStatus, Pod } from '../kube/objects.ts'
import { derivedReason } from '../kube/reasons.ts'

type Termination = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>

const SIGNALS: Readonly<Record<number, string>> = {
  6: 'SIGABRT',
  7: 'SIGBUS',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
}

/**
 * The newest end of a container or pod that nobody asked for, in the words of the kubelet. A container that was started
 * again still says how it ended before. Pods that are being deleted are left out. Times are compared with one another
 * only: they are those of the nodes.
 */
export function newestFailure(pods: readonly Pod[], before?: PodFailure): PodFailure | undefined {
  const failures = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined).flatMap(failuresOf)
  return [...failures, ...(before === undefined ? [] : [before])].reduce<PodFailure | undefined>(
    (newest, failure) => (newest === undefined || failure.at > newest.at ? failure : newest),
    undefined,
  )
}

function failuresOf(pod: Pod): PodFailure[] {
  const { name, creationTimestamp = '' } = pod.metadata
  const ended = (pod.status?.containerStatuses ?? []).flatMap((container) =>
    [container.state?.terminated, container.lastState?.terminated]
      .filter((end) => end !== undefined)
      .filter(({ exitCode, reason }) => exitCode !== 0 || reason === 'OOMKilled')
      .map((end) => ({ pod: name, at: end.finishedAt ?? creationTimestamp, ...told(pod, container, end) })),
  )
  const { phase, reason, message, startTime } = pod.status ?? {}
  if (phase !== 'Failed' || reason === undefined) return ended
  const hint = reason === 'Evicted' ? ' Request as much memory and disk as it uses, or give it a priority.' : ''
  return [
    ...ended,
    {
      pod: name,
      at: startTime ?? creationTimestamp,
      reason: reason === 'Evicted' ? 'PodEvicted' : derivedReason(reason),
      message: `${name} was ended by its node: ${message ?? reason}${hint}`,
    },
  ]
}

function told(
  pod: Pod,
  { name: container }: ContainerStatus,
  { exitCode, reason, message }: Termination,
): Pick<PodFailure, 'reason' | 'message'> {
  const { name } = pod.metadata
  if (reason === 'OOMKilled') {
    const limit = memoryLimitOf(pod, container)
    return {
      reason: 'OOMKilled',
      message: `${name} was killed for memory${limit === undefined ? '' : `, its limit is ${limit}`} (OOMKilled, exit code ${exitCode ?? 137}). Raise resources.limits.memory, or let state go to disk with state.memory.`,
    }
  }
  const signal = exitCode !== undefined && exitCode > 128 && exitCode < 160 ? exitCode - 128 : undefined
  const logs = `See kubectl logs ${name} --previous.`
  if (signal !== undefined) {
    return {
      reason: 'ContainerKilled',
      message: `${name} was ended by ${SIGNALS[signal] ?? `signal ${signal}`} (exit code ${exitCode}). ${logs}`,
    }
  }
  const words = message === undefined || message === '' ? '' : `: ${message.trim().slice(-300)}`
  return {
    reason: 'ContainerFailed',
    message: `${name} ended with exit code ${exitCode ?? 'unknown'}${words}. ${logs}`,
  }
}

function memoryLimitOf({ spec }: Pod, container: string): string | undefined {
  const containers = spec['containers'] as
    | { name: string; resources?: { limits?: { memory?: string | number } } }[]
    | undefined
  const limit = containers?.find(({ name }) => name === container)?.resources?.limits?.memory
  return limit === undefined ? undefined : String(limit)
}
