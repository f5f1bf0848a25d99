import { createHash, timingSafeEqual } from 'node:crypto'
import type { JobReport } from '../control/job-report.ts'
import { errorReport, MillraceError } from '../model/errors.ts'
import type { JobTarget } from '../model/job.ts'
import type { HttpHandler, HttpRequest, HttpResponse } from '../ports/http.ts'
import type { Coordinator } from './coordinator.ts'

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
    return { status: 200, contentType: 'text/plain; version=0.0.4', body: metricsText(coordinator.report()) }
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

/** Prometheus text; names as in docs/metrics.md. */
function metricsText(report: JobReport): string {
  const rows: [name: string, type: 'counter' | 'gauge', help: string, value: number | null][] = [
    ['millrace_job_attempt', 'gauge', 'Newest attempt claimed', report.attempt],
    ['millrace_job_running', 'gauge', '1 while an attempt runs', report.phase === 'running' ? 1 : 0],
    ['millrace_job_restarts_total', 'counter', 'Attempts lost since this coordinator started', report.restarts],
    ['millrace_job_records_in', 'gauge', 'Records taken in by all subtasks in this attempt', report.recordsIn],
    ['millrace_job_records_out', 'gauge', 'Records put out by all subtasks in this attempt', report.recordsOut],
    ['millrace_job_bad_records', 'gauge', 'Records left out in this attempt', report.badRecords],
    ['millrace_job_late_records', 'gauge', 'Records too late for their windows in this attempt', report.lateRecords],
    [
      'millrace_job_lag_records',
      'gauge',
      'Records that wait in the systems the job reads from, as far as they can tell',
      report.lagRecords ?? null,
    ],
    [
      'millrace_job_watermark_timestamp_seconds',
      'gauge',
      'The least watermark of all subtasks',
      report.watermark == null ? null : report.watermark / 1000,
    ],
    [
      'millrace_job_paused_splits',
      'gauge',
      'Splits that wait for others of their alignment group',
      report.pausedSplits ?? null,
    ],
    [
      'millrace_job_state_memory_bytes',
      'gauge',
      'Rows of dedupe, topN, reduce and process in the memory of all workers',
      report.stateBytes?.memory ?? null,
    ],
    [
      'millrace_job_state_disk_bytes',
      'gauge',
      'Rows beyond that, in files on the local disks of all workers',
      report.stateBytes?.disk ?? null,
    ],
    ['millrace_job_checkpoint_failures', 'gauge', 'Checkpoints failed in a row', report.checkpointFailures],
    [
      'millrace_job_checkpoint_size_bytes',
      'gauge',
      'State in the newest checkpoint',
      report.checkpoint?.sizeBytes ?? null,
    ],
    [
      'millrace_job_checkpoint_duration_seconds',
      'gauge',
      'Time the newest checkpoint took',
      report.checkpoint ? report.checkpoint.durationMs / 1000 : null,
    ],
    [
      'millrace_job_checkpoint_completed_timestamp_seconds',
      'gauge',
      'When the newest checkpoint completed',
      report.checkpoint ? report.checkpoint.completedAt / 1000 : null,
    ],
    [
      'millrace_job_pause_seconds',
      'gauge',
      'Last record before to first after the newest switch or recovery',
      report.lastPauseMs === null ? null : report.lastPauseMs / 1000,
    ],
  ]
  return (
    rows
      .filter(([, , , value]) => value !== null)
      .map(([name, type, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`)
      .join('') + blockedText(report.blockedMs ?? {})
  )
}

/** Ids of operators need no quoting. */
function blockedText(blockedMs: Readonly<Record<string, number>>): string {
  const name = 'millrace_operator_blocked_seconds'
  const lines = Object.entries(blockedMs).map(([operator, ms]) => `${name}{operator="${operator}"} ${ms / 1000}\n`)
  return lines.length === 0
    ? ''
    : `# HELP ${name} How long functions of the job held up their processes in this attempt\n# TYPE ${name} gauge\n${lines.join('')}`
}
