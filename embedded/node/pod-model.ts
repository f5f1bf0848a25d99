import type { Json, JsonObject, KubeObject } from '../objects.ts'
import { arrayAt, isObject, numberAt, objectAt, stringAt } from '../objects.ts'

/** The parts of a container's spec that the node reads, with defaults applied. */
export interface ContainerSpec {
  name: string
  image: string
  command: string[]
  args: string[]
  workingDir: string | undefined
  env: JsonObject[]
  envFrom: JsonObject[]
  ports: JsonObject[]
  volumeMounts: { name: string; mountPath: string; subPath: string | undefined }[]
  readinessProbe: ProbeSpec | undefined
  livenessProbe: ProbeSpec | undefined
  startupProbe: ProbeSpec | undefined
}

export interface ProbeSpec {
  target:
    | { kind: 'http'; path: string; port: number; scheme: 'HTTP' | 'HTTPS'; host: string | undefined }
    | { kind: 'tcp'; port: number; host: string | undefined }
    | { kind: 'unsupported' }
  initialDelaySeconds: number
  periodSeconds: number
  timeoutSeconds: number
  successThreshold: number
  failureThreshold: number
}

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never'

export function restartPolicyOf(pod: KubeObject): RestartPolicy {
  const policy = stringAt(pod, 'spec', 'restartPolicy')
  return policy === 'OnFailure' || policy === 'Never' ? policy : 'Always'
}

export function graceSecondsOf(pod: KubeObject): number {
  return pod.metadata.deletionGracePeriodSeconds ?? numberAt(pod, 'spec', 'terminationGracePeriodSeconds') ?? 30
}

export function containersOf(pod: KubeObject, list: 'containers' | 'initContainers'): ContainerSpec[] {
  return arrayAt(pod, 'spec', list).filter(isObject).map(containerOf)
}

function containerOf(container: JsonObject): ContainerSpec {
  const ports = arrayAt(container, 'ports').filter(isObject)
  return {
    name: stringAt(container, 'name') ?? '',
    image: stringAt(container, 'image') ?? '',
    command: textsAt(container, 'command'),
    args: textsAt(container, 'args'),
    workingDir: stringAt(container, 'workingDir'),
    env: arrayAt(container, 'env').filter(isObject),
    envFrom: arrayAt(container, 'envFrom').filter(isObject),
    ports,
    volumeMounts: arrayAt(container, 'volumeMounts').map((mount) => ({
      name: stringAt(mount, 'name') ?? '',
      mountPath: (stringAt(mount, 'mountPath') ?? '').replace(/(?<=.)\/$/, ''),
      subPath: stringAt(mount, 'subPath'),
    })),
    readinessProbe: probeOf(container['readinessProbe'], ports),
    livenessProbe: probeOf(container['livenessProbe'], ports),
    startupProbe: probeOf(container['startupProbe'], ports),
  }
}

const textsAt = (value: JsonObject, name: string): string[] => arrayAt(value, name).map(String)

function probeOf(probe: Json | undefined, ports: readonly JsonObject[]): ProbeSpec | undefined {
  if (!isObject(probe)) return undefined
  return {
    target: probeTargetOf(probe, ports),
    initialDelaySeconds: numberAt(probe, 'initialDelaySeconds') ?? 0,
    periodSeconds: numberAt(probe, 'periodSeconds') ?? 10,
    timeoutSeconds: numberAt(probe, 'timeoutSeconds') ?? 1,
    successThreshold: numberAt(probe, 'successThreshold') ?? 1,
    failureThreshold: numberAt(probe, 'failureThreshold') ?? 3,
  }
}

function probeTargetOf(probe: JsonObject, ports: readonly JsonObject[]): ProbeSpec['target'] {
  if (isObject(probe['httpGet'])) {
    const http = objectAt(probe, 'httpGet')
    return {
      kind: 'http',
      path: stringAt(http, 'path') ?? '/',
      port: portOf(http['port'], ports),
      host: stringAt(http, 'host'),
      scheme: stringAt(http, 'scheme') === 'HTTPS' ? 'HTTPS' : 'HTTP',
    }
  }
  if (isObject(probe['tcpSocket'])) {
    const tcp = objectAt(probe, 'tcpSocket')
    return { kind: 'tcp', port: portOf(tcp['port'], ports), host: stringAt(tcp, 'host') }
  }
  return { kind: 'unsupported' }
}

/** A probe may name a port of its container instead of giving its number. */
function portOf(port: Json | undefined, ports: readonly JsonObject[]): number {
  if (typeof port === 'number') return port
  const named = ports.find((one) => one['name'] === port)
  return numberAt(named, 'containerPort') ?? Number(port)
}
