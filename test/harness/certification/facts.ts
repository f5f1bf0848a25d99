import type { KubeEvent, KubeObject } from '../../../operator/kube/objects.ts'
import { kubeEvents } from '../../../operator/kube/resource-type.ts'
import type { FakeKube } from '../fake-kube.ts'

/** When something was, and how long it took: a mishap costs time. */
const TIMES: ReadonlySet<string> = new Set([
  ...['lastTransitionTime', 'startedAt', 'finishedAt', 'completedAt', 'deadline', 'at', 'since', 'time', 'ms'],
])

/** An operation's name ends in the time at which it began. */
const OPERATION = /(-g\d+-[a-z]+)-[0-9a-z]+/g
/** The name of a savepoint's record has the time at which it was completed. */
const RECORD_TIME = /-\d{8}-\d{6}-/g
const ISO_TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g

/** Without times, also in texts. */
export function withoutTimes(value: unknown): unknown {
  if (typeof value === 'string')
    return value.replace(OPERATION, '$1-T').replace(RECORD_TIME, '-T-').replace(ISO_TIME, 'T')
  if (Array.isArray(value)) return value.map(withoutTimes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !TIMES.has(key))
      .map(([key, member]) => [key, withoutTimes(member)]),
  )
}

/** Kind and name, without its time, of each object but Events, sorted. */
export function objectNames(kube: Pick<FakeKube, 'objects'>): string[] {
  return [...kube.objects.values()]
    .filter((one) => one.kind !== kubeEvents.kind)
    .map(({ kind, metadata }) => `${kind} ${metadata.name.replace(RECORD_TIME, '-T-')}`)
    .sort()
}

/** Type, reason and message of each Event, sorted. */
export function eventTexts(kube: Pick<FakeKube, 'objects'>): string[] {
  return [...kube.objects.values()]
    .filter((one: KubeObject): one is KubeEvent => one.kind === kubeEvents.kind)
    .map(({ type, reason, message }) => `${type} ${reason}: ${message}`)
    .sort()
}
