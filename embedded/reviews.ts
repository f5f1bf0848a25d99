import type { Json, JsonObject } from './objects.ts'
import { objectAt } from './objects.ts'
import type { RequestInfo } from './request-info.ts'

/**
 * Answers the reviews by which clients ask who they are and what they may do. Whoever has a token of this server
 * may do everything; that is what makes it a server for development only.
 */
export function answerReview(info: RequestInfo, body: Json, user: string): JsonObject | undefined {
  if (info.verb !== 'create') return undefined
  const base = (kind: string): JsonObject => ({
    kind,
    apiVersion: `${info.group}/${info.version}`,
    metadata: {},
    spec: objectAt(body, 'spec'),
  })
  switch (`${info.group}/${info.plural}`) {
    case 'authorization.k8s.io/selfsubjectaccessreviews':
      return {
        ...base('SelfSubjectAccessReview'),
        status: { allowed: true, reason: 'every token of this development server may do everything' },
      }
    case 'authorization.k8s.io/selfsubjectrulesreviews':
      return {
        ...base('SelfSubjectRulesReview'),
        status: {
          incomplete: false,
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        },
      }
    case 'authentication.k8s.io/selfsubjectreviews':
      return {
        ...base('SelfSubjectReview'),
        status: { userInfo: { username: user, groups: ['system:masters', 'system:authenticated'] } },
      }
    default:
      return undefined
  }
}
