import { createHash, timingSafeEqual } from 'node:crypto'
import { errorReport, MillraceError } from '../model/errors.ts'
import type { JobTarget } from '../model/job.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../ports/http.ts'
import type { Coordinator } from './coordinator.ts'
import { metricsText } from './metrics.ts'

/** The REST surface described in control/job-report.ts. Writing needs the job's token. */
export function httpApi(coordinator: Coordinator, token: string): HttpHandler {
  return (request) => answer(coordinator, token, request)
}

async function answer(coordinator: Coordinator, token: string, request: HttpRequest): Promise<HttpResponse> {
  try {
    return await route(coordinator, token, request)
  } catch (error) {
    const status = !(error instanceof MillraceError)
      ? 500
      : error.domain === 'user'
        ? 422
        : error.code === 'SAVEPOINT_IN_USE'
          ? 409
          : 500
    return json(status, { error: errorReport(error) })
  }
}

async function route(
  coordinator: Coordinator,
  token: string,
  { method, path, body, token: shown }: HttpRequest,
): Promise<HttpResponse> {
  const savepoint = /^\/v1\/savepoints\/([A-Za-z0-9._-]{1,128})$/.exec(path)?.[1]
  if (method === 'GET' && path === '/healthz') return { status: 200, contentType: 'text/plain', body: 'ok\n' }
  if (method === 'GET' && path === '/v1/job') return json(200, coordinator.report())
  if (method === 'GET' && path === '/metrics')
    return {
      status: 200,
      contentType: 'text/plain; version=0.0.4',
      body: await metricsText(coordinator.report(), coordinator.series()),
    }
  if (method === 'GET' && savepoint !== undefined) {
    const report = coordinator.findSavepoint(savepoint)
    return report
      ? json(200, report)
      : json(404, { error: { code: 'SAVEPOINT_UNKNOWN', message: `no savepoint ${savepoint}` } })
  }
  if (!isToken(shown, token))
    return json(401, { error: { code: 'TOKEN_NEEDED', message: "the job's token is needed to change it" } })
  if (method === 'PUT' && path === '/v1/target') {
    coordinator.setTarget(parseTarget(body))
    return json(200, coordinator.report())
  }
  if (method === 'POST' && path === '/v1/savepoints') return json(202, coordinator.savepoint(parseSavepointId(body)))
  if (method === 'DELETE' && savepoint !== undefined) {
    await coordinator.deleteSavepoint(savepoint)
    return { status: 204, contentType: 'text/plain', body: '' }
  }
  return json(404, { error: { code: 'PATH_UNKNOWN', message: `${method} ${path} is not served` } })
}

function json(status: number, value: object): HttpResponse {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` }
}

/** Compares hashes, so that the time taken tells nothing about the token. */
function isToken(shown: string | undefined, token: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return shown !== undefined && timingSafeEqual(hash(shown), hash(token))
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
  return {
    revision: value.revision,
    spec: value.spec,
    desiredState: value.desiredState,
    ...(value.restore === undefined ? {} : { restore: value.restore }),
  }
}

function parseSavepointId(body: string): string {
  const { id } = parseJson(body) as { id?: unknown }
  if (typeof id !== 'string' || !/^[A-Za-z0-9._-]{1,128}$/.test(id)) {
    throw new MillraceError(
      'SAVEPOINT_INVALID',
      'a savepoint needs an id of letters, digits, dot, dash and underscore',
      { domain: 'user' },
    )
  }
  return id
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
