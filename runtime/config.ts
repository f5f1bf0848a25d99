import { DEFAULT_HEARTBEAT_TIMEOUT_MS } from './control/silence-watch.ts'
import type { Encryption } from './model/encryption.ts'
import { MillraceError } from './model/errors.ts'
import { decodeReach, type Reach } from './model/reach.ts'
import type { Signing } from './checkpoint/signed-store.ts'
import { UNSIGNED } from './model/signing.ts'
import type { NetAddress } from './ports/net.ts'

/** What a runtime process is told by its environment; the operator and `millrace run` set the same variables. */
export interface RuntimeConfig {
  job: string
  jobUid: string
  token: string
  /** Whether the processes of the job encrypt what they say to each other and to the operator. */
  encryption: Encryption
  store: string
  /** The job's folder in the store. */
  storeFolder: string
  baseDir: string
  host: string
  /** What the pods of this process were rendered from, as a hash; undefined outside of pods. */
  template: string | undefined
  /** A peer on a control connection that says nothing for so long is taken for lost. */
  heartbeatTimeoutMs: number
  /** Undefined: connectors may open and call everything. */
  reach: Reach | undefined
}

export interface CoordinatorSettings {
  control: NetAddress
  http: NetAddress
  /** Absent: what it writes to the store is sealed, and not signed. */
  signing?: Signing | undefined
}

export interface WorkerSettings {
  name: string
  chain: string
  slot: number
  coordinator: NetAddress
  data: NetAddress
  /** Where it says that it lives; undefined where nobody asks. */
  health: NetAddress | undefined
}

export type Environment = Readonly<Record<string, string | undefined>>

export function readRuntimeConfig(env: Environment): RuntimeConfig {
  const job = needed(env, 'MILLRACE_JOB')
  const jobUid = needed(env, 'MILLRACE_JOB_UID')
  return {
    job,
    jobUid,
    token: needed(env, 'MILLRACE_TOKEN'),
    encryption: env['MILLRACE_ENCRYPTION'] === 'on' ? 'on' : 'off',
    store: needed(env, 'MILLRACE_STORE'),
    storeFolder: `${env['MILLRACE_NAMESPACE'] ?? 'default'}/${job}/${jobUid}`,
    baseDir: env['MILLRACE_BASE_DIR'] ?? '.',
    host: env['MILLRACE_POD_IP'] ?? '127.0.0.1',
    template: env['MILLRACE_TEMPLATE'],
    heartbeatTimeoutMs: timeout(env, 'MILLRACE_HEARTBEAT_TIMEOUT_MS', DEFAULT_HEARTBEAT_TIMEOUT_MS),
    reach: env['MILLRACE_REACH'] === undefined ? undefined : decodeReach(env['MILLRACE_REACH']),
  }
}

export function readCoordinatorSettings(env: Environment, host: string): CoordinatorSettings {
  return {
    control: { host, port: port(env, 'MILLRACE_CONTROL_PORT', 6121) },
    http: { host, port: port(env, 'MILLRACE_HTTP_PORT', 8081) },
    signing: signingOf(env),
  }
}

const LEAST_KEY_LENGTH = 32

/** One key per line, the present one first; errors never show them. */
function signingOf(env: Environment): Signing | undefined {
  const text = env['MILLRACE_SIGNING_KEYS']
  if (text === undefined) return undefined
  const [present, ...earlier] = text.split('\n').flatMap((line) => line.trim() || [])
  const short = [present ?? '', ...earlier].find((key) => key.length < LEAST_KEY_LENGTH)
  if (present === undefined || short !== undefined)
    throw new MillraceError(
      'CONFIG_INVALID',
      `environment variable MILLRACE_SIGNING_KEYS has a key of ${short?.length ?? 0} characters`,
      { domain: 'user', hint: `write keys of at least ${LEAST_KEY_LENGTH} characters into the Secret, one per line` },
    )
  const unsigned = env['MILLRACE_UNSIGNED'] ?? 'refuse'
  const known = UNSIGNED.find((one) => one === unsigned)
  if (known === undefined)
    throw new MillraceError('CONFIG_INVALID', `environment variable MILLRACE_UNSIGNED is ${JSON.stringify(unsigned)}`, {
      domain: 'user',
      hint: `write ${UNSIGNED.join(' or ')}`,
    })
  return { keys: [present, ...earlier], unsigned: known }
}

export function readWorkerSettings(env: Environment, host: string): WorkerSettings {
  const chain = needed(env, 'MILLRACE_CHAIN')
  const slot = Number(needed(env, 'MILLRACE_SLOT'))
  return {
    name: env['MILLRACE_POD_NAME'] ?? `${needed(env, 'MILLRACE_JOB')}-${chain}-${slot}`,
    chain,
    slot,
    coordinator: parseAddress('MILLRACE_COORDINATOR', needed(env, 'MILLRACE_COORDINATOR')),
    data: { host, port: port(env, 'MILLRACE_DATA_PORT', 6122) },
    health:
      env['MILLRACE_HEALTH_PORT'] === undefined ? undefined : { host, port: port(env, 'MILLRACE_HEALTH_PORT', 0) },
  }
}

function timeout(env: Environment, name: string, fallback: number): number {
  const ms = Number(env[name] ?? fallback)
  if (Number.isSafeInteger(ms) && ms >= 1_000 && ms <= 3_600_000) return ms
  throw new MillraceError('CONFIG_INVALID', `environment variable ${name} is ${JSON.stringify(env[name])}`, {
    domain: 'user',
    hint: 'write milliseconds from 1000 (a second) to 3600000 (an hour)',
  })
}

function needed(env: Environment, name: string): string {
  const value = env[name]
  if (value === undefined || value === '') {
    throw new MillraceError('CONFIG_MISSING', `environment variable ${name} is not set`, {
      domain: 'platform',
      hint: 'The operator and `millrace run` set it.',
    })
  }
  return value
}

function port(env: Environment, name: string, fallback: number): number {
  const value = Number(env[name] ?? fallback)
  if (!Number.isInteger(value) || value < 0 || value > 65535)
    throw new MillraceError('CONFIG_INVALID', `${name} is ${env[name]}, not a port`)
  return value
}

function parseAddress(name: string, text: string): NetAddress {
  const at = text.lastIndexOf(':')
  const number = Number(text.slice(at + 1))
  if (at < 1 || !Number.isInteger(number))
    throw new MillraceError('CONFIG_INVALID', `${name} is ${text}, not host:port`)
  return { host: text.slice(0, at), port: number }
}
