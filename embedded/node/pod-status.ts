import { timestamp } from '../object-writer.ts'
import type { JsonObject, KubeObject } from '../objects.ts'
import { arrayAt, isObject, stringAt } from '../objects.ts'
import type { ContainerRunner } from './container-runner.ts'
import { stateObject } from './container-runner.ts'
import type { RestartPolicy } from './pod-model.ts'

export interface PodFacts {
  podIp: string
  startTime: Date
  restartPolicy: RestartPolicy
  initContainers: readonly ContainerRunner[]
  containers: readonly ContainerRunner[]
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed'

/** The status of a pod from what its containers do; conditions keep their time of change where they did not change. */
export function podStatusOf(facts: PodFacts, current: KubeObject, now: Date): JsonObject {
  const phase = phaseOf(facts)
  const isInitialized = facts.initContainers.every(hasSucceeded)
  const notReady = facts.containers.filter((container) => !container.isReady).map((container) => container.spec.name)
  const ready: Verdict =
    notReady.length === 0
      ? { status: 'True' }
      : phase === 'Succeeded'
        ? { status: 'False', reason: 'PodCompleted' }
        : phase === 'Failed'
          ? { status: 'False', reason: 'PodFailed' }
          : {
              status: 'False',
              reason: 'ContainersNotReady',
              message: `containers with unready status: [${notReady.join(' ')}]`,
            }
  const initialized: Verdict = isInitialized
    ? { status: 'True' }
    : { status: 'False', reason: 'ContainersNotInitialized' }
  const condition = (type: string, verdict: Verdict): JsonObject => conditionOf(type, verdict, current, now)
  return {
    phase,
    podIP: facts.podIp,
    podIPs: [{ ip: facts.podIp }],
    hostIP: '127.0.0.1',
    qosClass: 'BestEffort',
    startTime: timestamp(facts.startTime),
    conditions: [
      condition('PodScheduled', { status: 'True' }),
      condition('Initialized', initialized),
      condition('ContainersReady', ready),
      condition('Ready', ready),
    ],
    containerStatuses: facts.containers.map(containerStatus),
    ...(facts.initContainers.length === 0 ? {} : { initContainerStatuses: facts.initContainers.map(containerStatus) }),
  }
}

interface Verdict {
  status: 'True' | 'False'
  reason?: string
  message?: string
}

function conditionOf(type: string, verdict: Verdict, current: KubeObject, now: Date): JsonObject {
  const before = arrayAt(current, 'status', 'conditions').find((one) => stringAt(one, 'type') === type)
  const changedAt =
    isObject(before) && before['status'] === verdict.status ? stringAt(before, 'lastTransitionTime') : undefined
  return { type, ...verdict, lastTransitionTime: changedAt ?? timestamp(now) }
}

const hasSucceeded = (container: ContainerRunner): boolean =>
  container.state.kind === 'terminated' && container.state.exitCode === 0

function phaseOf({ containers, initContainers, restartPolicy }: PodFacts): PodPhase {
  const isFinal = (container: ContainerRunner): boolean =>
    container.state.kind === 'terminated' &&
    (restartPolicy === 'Never' || (restartPolicy === 'OnFailure' && container.state.exitCode === 0))
  if (initContainers.some((container) => isFinal(container) && !hasSucceeded(container))) return 'Failed'
  if (containers.length > 0 && containers.every(isFinal)) return containers.every(hasSucceeded) ? 'Succeeded' : 'Failed'
  const hasRun = containers.some(
    (container) => container.state.kind !== 'waiting' || container.lastTermination !== undefined,
  )
  return hasRun ? 'Running' : 'Pending'
}

function containerStatus(container: ContainerRunner): JsonObject {
  const last = container.lastTermination
  const showsLast = last !== undefined && container.state !== last
  return {
    name: container.spec.name,
    image: container.spec.image,
    imageID: '',
    ready: container.isReady,
    started: container.isStarted,
    restartCount: container.restartCount,
    state: stateObject(container.state),
    lastState: showsLast ? stateObject(last) : {},
    ...(container.pid === undefined ? {} : { containerID: `process://${container.pid}` }),
  }
}
