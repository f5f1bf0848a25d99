import type { KubeObject, Pod } from '../kube/objects.ts'
import { hashOf, jobToken } from './hash.ts'

/** The keys from which tokens of jobs are made: the present one first, then those that running jobs may still use. */
export type TokenKeys = readonly [present: string, ...earlier: string[]]

/**
 * The name follows the token: a Secret of a deleted namesake, or of another operator key, is never mistaken for ours,
 * and nobody without the operator's key can take the name before it is. The operator may not read Secrets.
 */
export function tokenSecretName(job: string, token: string): string {
  return `${job}-token-${hashOf(token)}`
}

/** The token of jobs whose pods are made from now on. */
export function presentToken([key]: TokenKeys, { metadata }: KubeObject): string {
  return jobToken(key, metadata.uid ?? '')
}

/** The token that a pod was given: its Secret is named after it. Undefined when it was made from a key that is gone. */
export function tokenOf(keys: TokenKeys, job: KubeObject, pod: Pod): string | undefined {
  const secret = tokenSecretIn(pod)
  return keys
    .map((key) => jobToken(key, job.metadata.uid ?? ''))
    .find((token) => tokenSecretName(job.metadata.name, token) === secret)
}

function tokenSecretIn({ spec }: Pod): string | undefined {
  const { containers = [] } = spec as { containers?: readonly { env?: readonly TokenVar[] }[] }
  const env = containers.flatMap((container) => container.env ?? [])
  return env.findLast(({ name }) => name === TOKEN_ENV)?.valueFrom?.secretKeyRef?.name
}

interface TokenVar {
  readonly name: string
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string } }
}

export const TOKEN_ENV = 'MILLRACE_TOKEN'
