import { clipped } from '../../runtime/model/clipped.ts'
import { memberOf } from '../../runtime/model/fields.ts'
import type { Pod } from '../kube/objects.ts'
import type { Reason } from '../kube/reasons.ts'

export interface Trouble {
  reason: Reason
  message: string
}

const WAITING: Readonly<Record<string, Reason>> = {
  ErrImagePull: 'ImagePullFailed',
  ImagePullBackOff: 'ImagePullFailed',
  InvalidImageName: 'ImagePullFailed',
  ErrImageNeverPull: 'ImagePullFailed',
  CreateContainerConfigError: 'PodConfigInvalid',
  CreateContainerError: 'PodConfigInvalid',
  RunContainerError: 'PodConfigInvalid',
  CrashLoopBackOff: 'PodCrashLooping',
}

/** The first pod that will not start by waiting alone, and why. */
export function blockedPod(pods: readonly Pod[]): Trouble | undefined {
  for (const pod of pods) {
    const trouble = troubleOf(pod)
    if (trouble !== undefined) return { reason: trouble.reason, message: `${pod.metadata.name}: ${trouble.message}` }
  }
  return undefined
}

function troubleOf(pod: Pod): Trouble | undefined {
  const unscheduled = pod.status?.conditions?.find(
    (one) => one.type === 'PodScheduled' && one.status === 'False' && one.reason === 'Unschedulable',
  )
  if (unscheduled !== undefined)
    return { reason: 'Unschedulable', message: withHint(unscheduled.message ?? 'no node takes it') }
  for (const container of pod.status?.containerStatuses ?? []) {
    const { reason = '', message } = container.state?.waiting ?? {}
    const known = memberOf(WAITING, reason)
    if (known === undefined) continue
    const why = container.lastState?.terminated?.message?.trim()
    const words = [reason, message, why === undefined || why === '' ? undefined : clipped(why, 300)]
    return { reason: known, message: words.filter((one) => one !== undefined).join(': ') }
  }
  return undefined
}

/** A claim lives in one namespace, and the chart makes it in the operator's. */
function withHint(message: string): string {
  if (!/persistentvolumeclaim .* not found/.test(message)) return message
  return `${message} Create that claim in the job's namespace; for checkpoints it must be shared by all pods of the job (docs/checkpoints.md).`
}
