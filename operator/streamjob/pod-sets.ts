import type { Pod } from '../kube/objects.ts'
import { COORDINATOR_ANNOTATION, HASH_ANNOTATION, ROLE_LABEL, TEMPLATE_LABEL } from '../resources/labels.ts'
import { templateOf, UNNAMED } from '../resources/template.ts'
import { subtaskOf, withCoordinator } from '../resources/worker-pod.ts'
import type { EventNote } from '../kube/events.ts'
import type { Wanted } from './wanted.ts'

/** So long after its grace period a pod is not merely slow. */
const SLACK_MS = 30_000

export function isLiving(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined
}

/** Pods of that template, those being deleted among them. */
export function podsOfTemplate(pods: readonly Pod[], template: string): Pod[] {
  return pods.filter((pod) => templateOf(pod) === template)
}

/** The living coordinator of that template. */
export function coordinatorAmong(pods: readonly Pod[], template: string): Pod | undefined {
  return podsOfTemplate(pods, template).find(
    (pod) => isLiving(pod) && pod.metadata.labels?.[ROLE_LABEL] === 'coordinator',
  )
}

/** The subtask that a pod is there for, or the part of the coordinator: the same in every template. */
export function placeOf(pod: Pod): string {
  return subtaskOf(pod) ?? ''
}

/**
 * Pods of an operator that named no templates, as pods of this one when they were rendered as it renders them: an
 * update of the operator restarts no job merely for the names of its pods.
 */
export function withTemplates(pods: readonly Pod[], { template, coordinator, workers }: Wanted): Pod[] {
  const hashes = new Map([coordinator, ...workers].map((pod) => [placeOf(pod), hashIn(pod)]))
  const known = podsOfTemplate(pods, UNNAMED).filter((pod) => hashes.has(placeOf(pod)))
  const isSame = known.length > 0 && known.every((pod) => hashes.get(placeOf(pod)) === hashIn(pod))
  return isSame ? asTemplate(pods, template) : [...pods]
}

/** Pods that name no template as pods of this one. */
export function asTemplate(pods: readonly Pod[], template: string): Pod[] {
  return pods.map((pod) => (templateOf(pod) === UNNAMED ? labelled(pod, template) : pod))
}

function hashIn(pod: Pod): string | undefined {
  return pod.metadata.annotations?.[HASH_ANNOTATION]
}

function labelled(pod: Pod, template: string): Pod {
  return { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, [TEMPLATE_LABEL]: template } } }
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true
}

/** Evicted, node lost, or a process that went away without an error: they never come back by themselves. */
export function brokenPods(pods: readonly Pod[]): Pod[] {
  return pods.filter((pod) => isLiving(pod) && (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded'))
}

export function podFailed({ metadata, status }: Pod): EventNote {
  return {
    type: 'Warning',
    reason: 'PodFailed',
    message: `${metadata.name} ended: ${status?.reason ?? status?.phase ?? 'unknown'}${status?.message === undefined ? '' : `: ${status.message}`}`,
  }
}

/** Workers that were started with another address of their coordinator; none while it has no address. */
export function strayWorkers(pods: readonly Pod[], address: string | undefined): Pod[] {
  if (address === undefined) return []
  return pods.filter(
    (pod) =>
      pod.metadata.labels?.[ROLE_LABEL] === 'worker' &&
      isLiving(pod) &&
      pod.metadata.annotations?.[COORDINATOR_ANNOTATION] !== address,
  )
}

/** Its grace period is over and it is still there: its node may be lost. */
export function isStuck({ metadata }: Pod, now: number): boolean {
  return now > Date.parse(metadata.deletionTimestamp ?? '') + SLACK_MS
}

/**
 * Pods of the set that have no living pod in their place; workers only once they can be told an address. One that is
 * being deleted and has the name is waited for until it is stuck. Then the new pod gets another name: what may still run
 * of the old one is fenced, so that two in a place do no harm.
 */
export function missingPods(
  set: Wanted,
  pods: readonly Pod[],
  { address, now }: { address: string | undefined; now: number },
): Pod[] {
  const inTheWay = new Map(pods.map((pod) => [pod.metadata.name, pod]))
  const places = new Set(pods.filter(isLiving).map(placeOf))
  const workers = address === undefined ? [] : set.workers.map((pod) => withCoordinator(pod, address))
  return [set.coordinator, ...workers]
    .filter((pod) => !places.has(placeOf(pod)))
    .flatMap((pod) => {
      const stuck = inTheWay.get(pod.metadata.name)
      if (stuck === undefined) return [pod]
      return isStuck(stuck, now) ? [besides(pod, inTheWay)] : []
    })
}

function besides(pod: Pod, inTheWay: ReadonlyMap<string, Pod>): Pod {
  let name = pod.metadata.name
  for (let copy = 2; inTheWay.has(name); copy += 1) name = `${pod.metadata.name}-${copy}`
  return { ...pod, metadata: { ...pod.metadata, name } }
}

export function namesOf(pods: readonly Pod[]): string {
  return listed(pods.map((pod) => pod.metadata.name))
}

export function listed(names: readonly string[]): string {
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
}
