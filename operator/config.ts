import type { TokenKeys } from './resources/job-token.ts'
import { UNSIGNED } from '../runtime/model/signing.ts'
import { ENCRYPTIONS } from '../runtime/model/encryption.ts'
import { parseArgs } from 'node:util'
import { parseAddressBlock } from '../runtime/model/address-blocks.ts'
import { isFields, membersOf } from '../runtime/model/fields.ts'
import type { Fields } from '../runtime/model/fields.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import { isNamePattern } from './druid/allowed-use.ts'
import type { AllowedUse } from './druid/allowed-use.ts'
import type { DruidEndpoint } from './druid/druid-endpoint.ts'
import type { JobDefaults } from './resources/job-defaults.ts'
import type { PodSettings } from './resources/job-pod.ts'
import type { JobNetwork } from './resources/network-policy.ts'
import { podTemplateProblems } from './resources/pod-template.ts'
import type { StoreVolume } from './resources/store-volume.ts'
import { storeFolder } from './resources/store-volume.ts'

/** All settings of the operator process. Flags win over the environment; secrets come by environment or file only. */
export interface OperatorConfig {
  namespaces: readonly string[] | undefined
  pods: PodSettings
  tokenKeys: TokenKeys
  rolloutLimit: number
  operatorClass: string | undefined
  leaderElection: { namespace: string; name: string } | undefined
  health: { host: string; port: number }
  druids: Readonly<Record<string, DruidEndpoint>>
  kubeconfig: string | undefined
  logLevel: 'debug' | 'info' | 'warn' | 'error'
}

export type Environment = Readonly<Record<string, string | undefined>>

const FLAGS = {
  namespaces: { type: 'string' },
  image: { type: 'string' },
  'image-pull-policy': { type: 'string' },
  store: { type: 'string' },
  'store-claim': { type: 'string' },
  addressing: { type: 'string' },
  'job-encryption': { type: 'string' },
  'job-signing-secret': { type: 'string' },
  'job-unsigned': { type: 'string' },
  'max-subtasks': { type: 'string' },
  'file-roots': { type: 'string' },
  'http-addresses': { type: 'string' },
  'rollout-limit': { type: 'string' },
  'operator-class': { type: 'string' },
  'job-defaults': { type: 'string' },
  'job-network': { type: 'string' },
  'leader-election': { type: 'string' },
  'lease-namespace': { type: 'string' },
  'lease-name': { type: 'string' },
  'health-host': { type: 'string' },
  'health-port': { type: 'string' },
  druids: { type: 'string' },
  kubeconfig: { type: 'string' },
  'log-level': { type: 'string' },
} as const

type FlagName = keyof typeof FLAGS

/** `--image x` or `MILLRACE_IMAGE=x`. Throws CONFIG_INVALID naming the setting; never shows the value of a secret. */
export function readConfig(args: readonly string[], env: Environment): OperatorConfig {
  const { values } = parseArgs({ args: [...args], options: FLAGS, strict: true })
  const setting = (name: FlagName): string | undefined => {
    const value = values[name] ?? env[`MILLRACE_${name.replaceAll('-', '_').toUpperCase()}`]
    return value === '' ? undefined : value
  }
  const namespaces = listOf(setting('namespaces'))
  const store = needed(setting('store'), 'store', 'where jobs that name no checkpoint store keep their checkpoints')
  return {
    namespaces,
    pods: {
      image: needed(setting('image'), 'image', 'the runtime image of jobs that name none'),
      imagePullPolicy: oneOf('image-pull-policy', setting('image-pull-policy') ?? 'IfNotPresent', [
        'Always',
        'IfNotPresent',
        'Never',
      ]),
      store,
      ...storeVolumeOf(store, setting('store-claim')),
      addressing: oneOf('addressing', setting('addressing') ?? 'service', ['service', 'podIP']),
      reach: {
        files: foldersOf('file-roots', listOf(setting('file-roots')) ?? []),
        addresses: blocksOf('http-addresses', listOf(setting('http-addresses')) ?? []),
      },
      encryption: oneOf('job-encryption', setting('job-encryption') ?? 'on', ENCRYPTIONS),
      ...signingOf(setting('job-signing-secret'), setting('job-unsigned') ?? 'refuse'),
      maxSubtasks: countOf('max-subtasks', setting('max-subtasks') ?? '1000'),
      ...jobDefaultsOf(setting('job-defaults')),
      ...jobNetworkOf(setting('job-network')),
    },
    tokenKeys: [
      tokenKeyOf(env['MILLRACE_TOKEN_KEY']),
      ...(listOf(env['MILLRACE_EARLIER_TOKEN_KEYS']) ?? []).map(tokenKeyOf),
    ],
    rolloutLimit: countOf('rollout-limit', setting('rollout-limit') ?? '5'),
    operatorClass: labelValueOf('operator-class', setting('operator-class')),
    leaderElection:
      (setting('leader-election') ?? 'on') === 'off'
        ? undefined
        : {
            namespace: setting('lease-namespace') ?? env['POD_NAMESPACE'] ?? 'default',
            name: setting('lease-name') ?? 'millrace-operator',
          },
    health: { host: setting('health-host') ?? '0.0.0.0', port: portOf(setting('health-port') ?? '8080') },
    druids: druidsOf(setting('druids')),
    kubeconfig: setting('kubeconfig'),
    logLevel: oneOf('log-level', setting('log-level') ?? 'info', ['debug', 'info', 'warn', 'error']),
  }
}

function needed(value: string | undefined, name: string, meaning: string): string {
  if (value === undefined) throw invalid(name, `is not set: ${meaning}`)
  return value
}

/** The claim is mounted at the store, so the store must be a folder. */
function storeVolumeOf(store: string, claim: string | undefined): { storeVolume?: StoreVolume } {
  if (claim === undefined) return {}
  const path = storeFolder(store)
  if (path === undefined || path === '/')
    throw invalid(
      'store-claim',
      `is ${JSON.stringify(claim)} and the store ${JSON.stringify(store)} is no folder it could be mounted at`,
    )
  return { storeVolume: { claim, path } }
}

function signingOf(secret: string | undefined, unsigned: string): Pick<PodSettings, 'signing'> {
  return secret === undefined ? {} : { signing: { secret, unsigned: oneOf('job-unsigned', unsigned, UNSIGNED) } }
}

/** `a, b` → both; undefined when it is not set. */
function listOf(value: string | undefined): string[] | undefined {
  return value
    ?.split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
}

function foldersOf(name: FlagName, folders: readonly string[]): readonly string[] {
  const wrong = folders.find((folder) => !folder.startsWith('/'))
  if (wrong !== undefined) throw invalid(name, `names ${JSON.stringify(wrong)}, not an absolute path`)
  return folders
}

function blocksOf(name: FlagName, blocks: readonly string[]): readonly string[] {
  const wrong = blocks.find((block) => parseAddressBlock(block) === undefined)
  if (wrong !== undefined)
    throw invalid(name, `names ${JSON.stringify(wrong)}, not a block of addresses such as 127.0.0.1/32`)
  return blocks
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw invalid(name, `is ${JSON.stringify(value)}, not one of ${allowed.join(', ')}`)
  return found
}

function labelValueOf(name: FlagName, value: string | undefined): string | undefined {
  if (value !== undefined && !/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(value))
    throw invalid(name, `is ${JSON.stringify(value)}, not the value of a label`)
  return value
}

function countOf(name: FlagName, value: string): number {
  const count = Number(value)
  if (!Number.isSafeInteger(count) || count < 1)
    throw invalid(name, `is ${JSON.stringify(value)}, not a whole number from 1 on`)
  return count
}

function portOf(value: string): number {
  const port = Number(value)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw invalid('health-port', `is ${JSON.stringify(value)}, not a port`)
  return port
}

function tokenKeyOf(value: string | undefined): string {
  if (value === undefined || value.length < 32) {
    throw invalid(
      'token-key',
      `must have at least 32 characters, it has ${value?.length ?? 0}`,
      'Set MILLRACE_TOKEN_KEY from a Secret; the chart makes one.',
    )
  }
  return value
}

/** A JobDefaults as JSON; absent, jobs get what the operator gives them. */
function jobDefaultsOf(text: string | undefined): { defaults?: JobDefaults } {
  if (text === undefined) return {}
  const defaults = mappingOf('job-defaults', text)
  const names = ['imagePullSecrets', 'podTemplate', 'resources', 'coordinator', 'tmpSize']
  const unknown = Object.keys(defaults).find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw invalid('job-defaults', `has ${JSON.stringify(unknown)}, not one of ${names.join(', ')}`)
  const [problem] = podTemplateProblems(defaults['podTemplate'], 'podTemplate')
  if (problem !== undefined) throw invalid('job-defaults', `is not allowed: ${problem.path} ${problem.message}`)
  return { defaults }
}

/** `off`, or a JobNetwork as JSON; absent, jobs have no NetworkPolicy and none is removed. */
function jobNetworkOf(text: string | undefined): { network?: JobNetwork | 'off' } {
  if (text === undefined || text === 'off') return text === undefined ? {} : { network: text }
  const { http, senders, egress } = mappingOf('job-network', text)
  if (!Array.isArray(http) || !isListOrAbsent(senders) || !isListOrAbsent(egress))
    throw invalid('job-network', 'must be "off" or have lists: http and, perhaps, senders of peers, egress of rules')
  return {
    network: { http, ...(senders === undefined ? {} : { senders }), ...(egress === undefined ? {} : { egress }) },
  }
}

function isListOrAbsent(value: unknown): value is readonly unknown[] | undefined {
  return value === undefined || Array.isArray(value)
}

/** `{"name": {"routerUrl": "http://router:8888", "username": "u", "passwordFile": "/path", "allowed": […]}}` */
export function druidsOf(text: string | undefined): Record<string, DruidEndpoint> {
  if (text === undefined) return {}
  return Object.fromEntries(
    Object.entries(mappingOf('druids', text)).map(([name, endpoint]) => [name, endpointOf(name, endpoint)]),
  )
}

function mappingOf(name: FlagName, text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('CONFIG_INVALID', `the setting ${name} is no JSON`, { domain: 'user', cause })
  }
  if (!isFields(value)) throw invalid(name, 'is not a mapping')
  return value
}

function endpointOf(name: string, value: unknown): DruidEndpoint {
  const { routerUrl, username, passwordFile, allowed } = membersOf(value)
  const known = ['routerUrl', 'username', 'passwordFile', 'allowed']
  const unknown = Object.keys(membersOf(value)).find((member) => !known.includes(member))
  if (unknown !== undefined)
    throw invalid(
      'druids',
      `has ${JSON.stringify(unknown)} for ${JSON.stringify(name)}, not one of ${known.join(', ')}`,
    )
  if (typeof routerUrl !== 'string' || !URL.canParse(routerUrl))
    throw invalid('druids', `has no valid routerUrl for ${JSON.stringify(name)}`)
  return {
    routerUrl,
    ...(typeof username === 'string' ? { username } : {}),
    ...(typeof passwordFile === 'string' ? { passwordFile } : {}),
    ...(allowed === undefined ? {} : { allowed: usesOf(name, allowed) }),
  }
}

/** A rule that cannot be read must not open a Druid to all. */
function usesOf(druid: string, value: unknown): AllowedUse[] {
  const wrong = (what: unknown): MillraceError =>
    invalid(
      'druids',
      `has ${JSON.stringify(what)} among allowed of ${JSON.stringify(druid)}, not lists of names`,
      'Write [{"namespaces": ["shop"], "datasources": ["shop-*"]}]: a name, or its beginning and *.',
    )
  if (!Array.isArray(value)) throw wrong(value)
  return value.map((use: unknown) => {
    const { namespaces, datasources, ...others } = membersOf(use)
    if (!areNamePatterns(namespaces) || !areNamePatterns(datasources) || Object.keys(others).length > 0)
      throw wrong(use)
    return { namespaces, datasources }
  })
}

function areNamePatterns(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every(isNamePattern)
}

function invalid(name: string, why: string, hint?: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', `the setting ${name} ${why}`, {
    domain: 'user',
    hint: hint ?? `Set --${name} or MILLRACE_${name.replaceAll('-', '_').toUpperCase()}.`,
  })
}
