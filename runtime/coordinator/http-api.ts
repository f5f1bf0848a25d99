import { isSameSecret } from '../model/same-secret.ts'
import { isFields } from '../model/fields.ts'
import { errorReport, MillraceError } from '../model/errors.ts'
import type { AutoscalerPolicy, ReportWatch, SavepointRequest } from '../control/job-report.ts'
import type { JobTarget, Order } from '../model/job.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../ports/http.ts'
import { isLocalHost } from '../ports/local-host.ts'
import type { Coordinator } from './coordinator.ts'
import { metricsText } from './metrics.ts'

interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: RegExp
  readonly needsToken: boolean
  /** `id`: what the group of the path matched, empty when it has none. */
  answer(coordinator: Coordinator, request: { readonly id: string; readonly body: string }): Promise<HttpResponse>
}

const SAVEPOINT_ID = '[A-Za-z0-9._-]{1,128}'
const SAVEPOINT = new RegExp(`^/v1/savepoints/(${SAVEPOINT_ID})$`)

const NOTHING: HttpResponse = { status: 204, contentType: 'text/plain', body: '' }

/** The REST surface that control/job-report.ts describes. */
const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/healthz$/,
    needsToken: false,
    answer: async () => ({ status: 200, contentType: 'text/plain', body: 'ok\n' }),
  },
  {
    method: 'GET',
    path: /^\/metrics$/,
    needsToken: false,
    answer: async (coordinator) => ({
      status: 200,
      contentType: 'text/plain; version=0.0.4',
      body: await metricsText(coordinator.report(), coordinator.series()),
    }),
  },
  {
    method: 'GET',
    path: /^\/v1\/job$/,
    needsToken: false,
    answer: async (coordinator) => json(200, coordinator.report()),
  },
  {
    method: 'GET',
    path: SAVEPOINT,
    needsToken: false,
    answer: async (coordinator, { id }) => {
      const report = coordinator.findSavepoint(id)
      return report === undefined ? failure(404, 'SAVEPOINT_UNKNOWN', `no savepoint ${id}`) : json(200, report)
    },
  },
  {
    method: 'PUT',
    path: /^\/v1\/target$/,
    needsToken: true,
    answer: async (coordinator, { body }) => {
      coordinator.setTarget(parseTarget(body))
      return json(200, coordinator.report())
    },
  },
  {
    method: 'PUT',
    path: /^\/v1\/autoscaler$/,
    needsToken: true,
    answer: async (coordinator, { body }) => {
      coordinator.setAutoscaler(body.trim() === 'null' ? null : parsePolicy(body))
      return json(200, coordinator.report())
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/changes$/,
    needsToken: true,
    answer: async (coordinator, { body }) => {
      const { digest, waitMs } = parseWatch(body)
      const report = await coordinator.listeners.unlike(digest, waitMs)
      return report === undefined ? NOTHING : json(200, report)
    },
  },
  {
    method: 'POST',
    path: /^\/v1\/savepoints$/,
    needsToken: true,
    answer: async (coordinator, { body }) => json(202, coordinator.savepoint(parseSavepoint(body))),
  },
  {
    method: 'DELETE',
    path: SAVEPOINT,
    needsToken: true,
    answer: async (coordinator, { id }) => {
      await coordinator.deleteSavepoint(id)
      return NOTHING
    },
  },
]

/** Answers every request; an error becomes an answer with its report. */
export function httpApi(coordinator: Coordinator, token: string): HttpHandler {
  return async (request) => {
    try {
      return await answer(coordinator, token, request)
    } catch (error) {
      return json(statusOf(error), { error: errorReport(error) })
    }
  }
}

/** A request without the token does not learn whether the path exists. */
async function answer(
  coordinator: Coordinator,
  token: string,
  { method, path, body, host, token: shown }: HttpRequest,
): Promise<HttpResponse> {
  const route = ROUTES.find((candidate) => candidate.method === method && candidate.path.test(path))
  const hasToken = isSameSecret(shown, token)
  if (!hasToken && path !== '/healthz' && !isLocalHost(host))
    return failure(421, 'HOST_UNKNOWN', "ask by an address, by localhost or by the job's Service, or show the token")
  if ((route === undefined || route.needsToken) && !hasToken)
    return failure(401, 'TOKEN_NEEDED', "the job's token is needed to change it")
  if (route === undefined) return failure(404, 'PATH_UNKNOWN', `${method} ${path} is not served`)
  return route.answer(coordinator, { id: route.path.exec(path)?.[1] ?? '', body: hasToken ? await body() : '' })
}

function statusOf(error: unknown): number {
  if (!(error instanceof MillraceError)) return 500
  if (error.domain === 'user') return 422
  return error.code === 'SAVEPOINT_IN_USE' || error.code === 'ORDER_OUTDATED' ? 409 : 500
}

function failure(status: number, code: string, message: string): HttpResponse {
  return json(status, { error: { code, message } })
}

function json(status: number, value: object): HttpResponse {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` }
}

function parseTarget(body: string): JobTarget {
  const value = parseJson(body) as Partial<JobTarget>
  if (
    typeof value.revision !== 'string' ||
    (value.desiredState !== 'running' && value.desiredState !== 'suspended') ||
    value.spec === undefined
  ) {
    throw new MillraceError('TARGET_INVALID', 'a target needs revision, spec and desiredState (running or suspended)', {
      domain: 'user',
    })
  }
  if (value.restore !== undefined && typeof value.restore !== 'string')
    throw new MillraceError('TARGET_INVALID', 'a target is restored from a path or URL', { domain: 'user' })
  if (value.predecessor !== undefined && typeof value.predecessor !== 'string')
    throw new MillraceError('TARGET_INVALID', 'the predecessor of a job is named by its UID', { domain: 'user' })
  return {
    revision: value.revision,
    spec: value.spec,
    desiredState: value.desiredState,
    ...(value.restore === undefined ? {} : { restore: value.restore }),
    ...(value.predecessor === undefined ? {} : { predecessor: value.predecessor }),
    ...parseOrder(value),
  }
}

function parseOrder({ order }: { order?: unknown }): { order?: Order } {
  if (order === undefined) return {}
  const { generation, lease } = isFields(order) ? order : {}
  const { id, transitions } = isFields(lease) ? lease : {}
  if (typeof generation !== 'number')
    throw new MillraceError('ORDER_INVALID', 'an order needs the generation of the job', { domain: 'user' })
  const isLed = typeof id === 'string' && typeof transitions === 'number'
  return { order: { generation, ...(isLed ? { lease: { id, transitions } } : {}) } }
}

function parsePolicy(body: string): AutoscalerPolicy {
  const { operators, minReplicas, maxReplicas, targetUtilization, catchUpMs, scaleDownAfterMs } = parseJson(
    body,
  ) as Partial<Record<keyof AutoscalerPolicy, unknown>>
  if (
    !Array.isArray(operators) ||
    !operators.every((operator) => typeof operator === 'string') ||
    !isAtLeast(minReplicas, 1) ||
    !isAtLeast(maxReplicas, minReplicas) ||
    !isAtLeast(targetUtilization, 0.05) ||
    targetUtilization > 1 ||
    !isAtLeast(catchUpMs, 1) ||
    !isAtLeast(scaleDownAfterMs, 1)
  )
    throw new MillraceError(
      'POLICY_INVALID',
      'an autoscaler needs operators, minReplicas, maxReplicas, targetUtilization (0.05 to 1), catchUpMs and scaleDownAfterMs',
      { domain: 'user' },
    )
  return { operators, minReplicas, maxReplicas, targetUtilization, catchUpMs, scaleDownAfterMs }
}

function isAtLeast(value: unknown, least: number): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= least
}

function parseWatch(body: string): ReportWatch {
  const { digest, waitMs } = parseJson(body) as { digest?: unknown; waitMs?: unknown }
  if (typeof digest !== 'string' || typeof waitMs !== 'number' || !(waitMs >= 0))
    throw new MillraceError('WATCH_INVALID', 'a watch needs the digest that is known and waitMs', { domain: 'user' })
  return { digest, waitMs }
}

function parseSavepoint(body: string): SavepointRequest {
  const request = parseJson(body) as { id?: unknown; order?: unknown }
  const { id } = request
  if (typeof id !== 'string' || !new RegExp(`^${SAVEPOINT_ID}$`).test(id)) {
    throw new MillraceError(
      'SAVEPOINT_INVALID',
      'a savepoint needs an id of letters, digits, dot, dash and underscore',
      { domain: 'user' },
    )
  }
  return { id, ...parseOrder(request) }
}

function parseJson(body: string): object {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value === 'object' && value !== null) return value
  } catch (cause) {
    throw new MillraceError('BODY_INVALID', 'the body is not JSON', { domain: 'user', cause })
  }
  throw new MillraceError('BODY_INVALID', 'the body is not a JSON object', { domain: 'user' })
}
