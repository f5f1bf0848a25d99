import type { Unsigned } from '../../runtime/model/signing.ts'
import type { Encryption } from '../../runtime/model/encryption.ts'
import { TOKEN_ENV } from './job-token.ts'
import { encodeReach, type Reach } from '../../runtime/model/reach.ts'
import type { EnvVar, StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import type { Pod } from '../kube/objects.ts'
import { hashOf } from './hash.ts'
import { HASH_ANNOTATION, jobLabels, ownedBy } from './labels.ts'
import type { Role } from './labels.ts'
import type { JobNetwork } from './network-policy.ts'
import { CONTAINER_NAME, TMP_VOLUME } from './pod-template.ts'
import { pullSecretsOf, resourcesOf, templateFor } from './job-defaults.ts'
import type { JobDefaults } from './job-defaults.ts'
import { reachOf } from './job-reach.ts'
import { mountedModules } from './modules-volume.ts'
import type { MountedModules } from './modules-volume.ts'
import { mountedStore } from './store-volume.ts'
import type { StoreVolume } from './store-volume.ts'

/** On which the processes of a job listen in their pods. */
export interface JobPorts {
  readonly control: number
  readonly data: number
  readonly http: number
}

export const JOB_PORTS: JobPorts = { control: 6121, data: 6122, http: 8081 }

/** The port of that name in a pod that was rendered, now or by an operator with other settings. */
export function portOf(pod: Pod, name: keyof JobPorts): number {
  const { containers = [] } = pod.spec as { containers?: readonly { ports?: readonly NamedPort[] }[] }
  const ports = containers.flatMap((container) => container.ports ?? [])
  return ports.find((port) => port.name === name)?.containerPort ?? JOB_PORTS[name]
}

/** The runtime image of a pod that was rendered, now or by an operator with other settings. */
export function imageOf(pod: Pod | undefined): string | undefined {
  const { containers = [] } = (pod?.spec ?? {}) as { containers?: readonly { name?: string; image?: string }[] }
  return containers.find(({ name }) => name === CONTAINER_NAME)?.image
}

export const ENCRYPTION_ENV = 'MILLRACE_ENCRYPTION'

/** Whether a pod that was rendered, now or by another operator, encrypts its connections. */
export function encryptionOf(pod: Pod): Encryption {
  const { containers = [] } = pod.spec as { containers?: readonly { env?: readonly EnvVar[] }[] }
  const env = containers.flatMap((container) => container.env ?? [])
  return env.findLast(({ name }) => name === ENCRYPTION_ENV)?.value === 'on' ? 'on' : 'off'
}

interface NamedPort {
  readonly name: string
  readonly containerPort: number
}

/** How coordinators sign checkpoints (runtime/checkpoint/signed-store.ts). */
export interface JobSigning {
  /** A Secret in the namespace of each job, with the key `signing-keys`. */
  readonly secret: string
  readonly unsigned: Unsigned
}

/** What pods of a job are made from, besides its spec. */
export interface PodSettings {
  /** The runtime image of jobs that name none. */
  image: string
  imagePullPolicy: string
  /** The checkpoint store of jobs that name none. */
  store: string
  /** Mounted into the pods of jobs whose store is in it; absent where pods see the operator's own file system. */
  storeVolume?: StoreVolume
  /** Workers find their coordinator by the name of its Service, or by the address its pod has. */
  addressing: 'service' | 'podIP'
  /** Where pods share the ports of one machine, those that are free there; JOB_PORTS otherwise. */
  ports?: JobPorts
  /** Whether the processes of jobs encrypt their connections; off where a service mesh does it. */
  encryption: Encryption
  /** Absent: coordinators seal what they write, and do not sign it. */
  signing?: JobSigning
  /** A job of more subtasks is refused. */
  maxSubtasks: number
  /**
   * What connectors of jobs may reach besides what their pods mount (resources/job-reach.ts). Absent: everything, where
   * jobs are processes of the author's own machine.
   */
  reach?: Pick<Reach, 'files' | 'addresses'>
  /** What a release gives to all of its jobs. */
  defaults?: JobDefaults
  /** Absent: jobs have no NetworkPolicy; 'off': those of before are removed. */
  network?: JobNetwork | 'off'
  /** Given to every pod besides its own, from the operator's configuration. */
  env?: readonly EnvVar[]
}

export interface PodContext {
  job: StreamJob
  /** The spec that is to run: the last good one. */
  spec: StreamJobSpec
  settings: PodSettings
  /** Name of the Secret that holds the job's token. */
  tokenSecret: string
}

export interface RolePart {
  role: Role
  name: string
  labels: Record<string, string>
  env: readonly EnvVar[]
  ports: readonly { name: string; containerPort: number }[]
}

/**
 * A pod of a job. The user's template goes under the fixed fields, so whatever it says the pod satisfies Pod
 * Security "restricted" and carries no service account token.
 */
export function jobPod(context: PodContext, part: RolePart): Pod {
  const { job, spec, settings } = context
  const template = templateFor(spec, settings.defaults)
  const pullSecrets = pullSecretsOf(spec, settings.defaults)
  const store = mountedStore(job, storeOf(spec, settings), settings.storeVolume, {
    template,
    // only coordinators take over the state of other jobs
    seesOthers: part.role === 'coordinator' && spec.restore !== undefined,
  })
  // only workers run the user's code
  const modules = mountedModules(part.role === 'worker' ? spec.modules : {})
  const mounted = {
    volumes: [...store.volumes, ...modules.volumes],
    mounts: [...store.mounts, ...modules.mounts],
    env: modules.env,
  }
  const podSpec = {
    terminationGracePeriodSeconds: GRACE_SECONDS,
    ...template.spec,
    restartPolicy: 'OnFailure',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
    securityContext: podSecurity(template.spec['securityContext']),
    volumes: [...listOf(template.spec['volumes']), { name: TMP_VOLUME, emptyDir: tmpOf(settings) }, ...mounted.volumes],
    containers: [container(context, part, mounted)],
  }
  const annotations: Record<string, string> = {
    ...template.annotations,
    ...(spec.restartNonce === undefined ? {} : { 'millrace.dev/restart-nonce': spec.restartNonce }),
  }
  const labels = { ...template.labels, ...jobLabels(job.metadata.name, part.role), ...part.labels }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: part.name,
      ...(job.metadata.namespace === undefined ? {} : { namespace: job.metadata.namespace }),
      labels,
      annotations: { ...annotations, [HASH_ANNOTATION]: hashOf({ podSpec, annotations, labels }) },
      ownerReferences: [ownedBy(job)],
    },
    spec: podSpec,
  }
}

function container(
  { job, spec, settings, tokenSecret }: PodContext,
  part: RolePart,
  mounted: MountedModules,
): Record<string, unknown> {
  const template = templateFor(spec, settings.defaults).container
  const { envFrom } = template
  return {
    name: CONTAINER_NAME,
    image: spec.image ?? settings.image,
    imagePullPolicy: spec.imagePullPolicy ?? settings.imagePullPolicy,
    args: [part.role],
    ...(envFrom === undefined ? {} : { envFrom }),
    env: [
      ...listOf(template['env']),
      ...(spec.env ?? []),
      ...(settings.env ?? []),
      ...commonEnv(job, spec, settings, tokenSecret),
      ...mounted.env,
      ...part.env,
    ],
    ports: part.ports,
    resources: resourcesOf(part.role, spec, settings.defaults),
    ...probes((settings.ports ?? JOB_PORTS).http),
    volumeMounts: [...listOf(template['volumeMounts']), { name: TMP_VOLUME, mountPath: TMP_PATH }, ...mounted.mounts],
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    },
  }
}

/**
 * Both are answered by the process's own loop. A function of the user may hold that up for a while; a process that says
 * nothing for a minute and a half hangs, and the kubelet starts it again.
 */
function probes(port: number): Record<string, unknown> {
  const httpGet = { path: '/healthz', port }
  return {
    readinessProbe: { httpGet, periodSeconds: 2, timeoutSeconds: 2 },
    livenessProbe: { httpGet, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 9 },
  }
}

function storeOf(spec: StreamJobSpec, settings: PodSettings): string {
  return spec.checkpoints?.store ?? settings.store
}

/** Last wins in Kubernetes: ours come after the user's. */
function commonEnv(job: StreamJob, spec: StreamJobSpec, settings: PodSettings, tokenSecret: string): EnvVar[] {
  const { ports = JOB_PORTS } = settings
  const reach = reachOf(job, spec, settings)
  return [
    { name: 'TMPDIR', value: TMP_PATH },
    { name: 'MILLRACE_JOB', value: job.metadata.name },
    { name: 'MILLRACE_NAMESPACE', value: job.metadata.namespace ?? '' },
    { name: 'MILLRACE_JOB_UID', value: job.metadata.uid ?? '' },
    { name: 'MILLRACE_STORE', value: storeOf(spec, settings) },
    ...(reach === undefined ? [] : [{ name: 'MILLRACE_REACH', value: encodeReach(reach) }]),
    { name: 'MILLRACE_POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    { name: 'MILLRACE_CONTROL_PORT', value: String(ports.control) },
    { name: 'MILLRACE_HTTP_PORT', value: String(ports.http) },
    { name: 'MILLRACE_DATA_PORT', value: String(ports.data) },
    { name: ENCRYPTION_ENV, value: settings.encryption },
    { name: TOKEN_ENV, valueFrom: { secretKeyRef: { name: tokenSecret, key: 'token' } } },
  ]
}

/** Rows of state that are more than `spec.state.memory` lie there. */
function tmpOf({ defaults }: PodSettings): Record<string, unknown> {
  return defaults?.tmpSize === undefined ? {} : { sizeLimit: defaults.tmpSize }
}

const DEFAULT_USER = 65_532
/** Not /tmp: what a user mounts or names there must not be hidden by it. */
const TMP_PATH = '/var/run/millrace/tmp'
/** State is safe without a farewell: long waits would only lengthen the pause of an upgrade. */
const GRACE_SECONDS = 10

function podSecurity(template: unknown): Record<string, unknown> {
  const wanted = typeof template === 'object' && template !== null ? template : {}
  return {
    runAsUser: DEFAULT_USER,
    runAsGroup: DEFAULT_USER,
    fsGroup: DEFAULT_USER,
    // else the kubelet would visit every file of the checkpoint volume before each start
    fsGroupChangePolicy: 'OnRootMismatch',
    ...wanted,
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  }
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
