import { createHmac } from 'node:crypto'
import { MillraceError } from '../../model/errors.ts'
import { isSameSecret } from '../../model/same-secret.ts'
import type { Ports } from '../../ports/ports.ts'
import type { LogEntry } from '../kit/write-ahead-log/log-frame.ts'
import type { Intake } from '../kit/write-ahead-log/reception.ts'
import type { SystemReports } from '../system-reports.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import { keepReceived } from '../kit/write-ahead-log/received-rows.ts'
import type { Signature, WebhookOptions } from './declaration.ts'
import { recordsOf } from './request-records.ts'
import type { WebhookAnswer, WebhookRequest } from './server.ts'

/** The bytes of all bodies that are held at once in a slot. */
const MOST_HELD_BYTES = 64 * 1024 * 1024
/** A full log has room again after a checkpoint. */
const RETRY_AFTER_S = 1

export type HandlerOptions = Pick<
  WebhookOptions,
  'path' | 'body' | 'metadata' | 'tokenFile' | 'signature' | 'maxBodyBytes'
>

/** Status by the code of an error; any other is the server's own. */
const STATUS: ReadonlyMap<string, number> = new Map([
  ['BODY_TOO_LARGE', 413],
  ['BODY_UNREADABLE', 400],
  ['BODY_INVALID', 400],
  ['ANSWER_NESTED', 400],
  ['TOO_MANY_RECORDS', 413],
  ['RECORD_TOO_LARGE', 413],
  ['BODY_CUT', 408],
  ['RECORD_INVALID', 400],
])

/** Answers the requests of one slot: nothing is acknowledged before it is in the log. */
export function webhookHandler(
  options: HandlerOptions,
  { clock, secretFiles }: Pick<Ports, 'clock' | 'secretFiles'>,
  intake: Intake,
  reports: SystemReports,
): (request: WebhookRequest) => Promise<WebhookAnswer> {
  const keep = keepReceived(options.metadata)
  // senders learn nothing of it, and the owner of the job is to
  const trouble = new TroubleReporter(clock, { reportTrouble: (error) => reports.reportTrouble(error) })
  let heldBytes = 0

  const take = async (request: WebhookRequest): Promise<WebhookAnswer> => {
    const refusal = refusalOf(request, options) ?? (await unauthorized(request))
    if (refusal !== undefined) return refusal
    const bytes = Math.min(request.bodyBytes ?? Infinity, options.maxBodyBytes)
    if (heldBytes + bytes > MOST_HELD_BYTES && heldBytes > 0) return later('too many requests at once')
    heldBytes += bytes
    try {
      const body = await request.body(options.maxBodyBytes)
      if (!(await isSigned(body, request, options.signature)))
        return refused(401, 'SIGNATURE_WRONG', 'the signature does not fit the body')
      return await keepRecords(request, body)
    } finally {
      heldBytes -= bytes
    }
  }

  const keepRecords = async (request: WebhookRequest, body: Buffer): Promise<WebhookAnswer> => {
    const metadata = keep({
      receivedAt: clock.now(),
      sender: request.sender,
      header: (name) => request.header(name.toLowerCase()) ?? null,
    })
    const entries = recordsOf(body, options.body).map((value) => ({ metadata, value }))
    for (const [index, entry] of entries.entries()) await checked(entry, index)
    if (entries.length > 0 && (await intake.append(entries)) === 'full') return later('the log is full')
    return { status: 200, body: { accepted: entries.length } }
  }

  const checked = async (entry: LogEntry, index: number): Promise<void> => {
    try {
      await intake.check(entry)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new MillraceError('RECORD_INVALID', `record ${index}: ${reason}`, { domain: 'user', cause })
    }
  }

  const readSecret = async (file: string): Promise<string> => {
    try {
      const secret = await secretFiles.read(file)
      trouble.works()
      return secret.replace(/\r?\n$/, '')
    } catch (cause) {
      const error = secretUnreadable(file, cause)
      trouble.isSlow(error)
      throw error
    }
  }

  const unauthorized = async (request: WebhookRequest): Promise<WebhookAnswer | undefined> => {
    if (options.tokenFile === undefined) return undefined
    const shown = /^Bearer (.+)$/i.exec(request.header('authorization') ?? '')?.[1]
    const token = await readSecret(options.tokenFile)
    return token !== '' && isSameSecret(shown, token)
      ? undefined
      : refused(401, 'TOKEN_WRONG', 'a bearer token is needed')
  }

  const isSigned = async (
    body: Buffer,
    request: WebhookRequest,
    signature: Signature | undefined,
  ): Promise<boolean> => {
    if (signature === undefined) return true
    const key = await readSecret(signature.secretFile)
    if (key === '') return false
    const wanted = createHmac(signature.algorithm, key).update(body).digest(signature.encoding)
    const shown = request.header(signature.header)
    const isHex = signature.encoding === 'hex'
    return isSameSecret(
      isHex ? shown?.toLowerCase() : shown,
      `${isHex ? signature.prefix.toLowerCase() : signature.prefix}${wanted}`,
    )
  }

  return async (request) => {
    try {
      return await take(request)
    } catch (error) {
      const code = error instanceof MillraceError ? error.code : 'UNEXPECTED'
      const status = STATUS.get(code)
      const message = error instanceof Error ? error.message : String(error)
      if (status !== undefined) return refused(status, code, message)
      // the log or a Secret: nothing that the sender should read more of
      return { ...refused(503, code, 'the records could not be kept'), retryAfter: RETRY_AFTER_S }
    }
  }
}

function refusalOf({ method, path }: WebhookRequest, options: HandlerOptions): WebhookAnswer | undefined {
  if (path !== options.path) return refused(404, 'PATH_UNKNOWN', 'there is nothing here')
  return method === 'POST' || method === 'PUT' ? undefined : refused(405, 'METHOD_WRONG', 'records come by POST')
}

function refused(status: number, code: string, message: string): WebhookAnswer {
  return { status, body: { error: { code, message } } }
}

function later(message: string): WebhookAnswer {
  return { ...refused(429, 'LATER', message), retryAfter: RETRY_AFTER_S }
}

function secretUnreadable(file: string, cause: unknown): MillraceError {
  return new MillraceError('WEBHOOK_SECRET_UNREADABLE', `cannot read ${file}, which requests are checked with`, {
    domain: 'user',
    cause,
    hint: 'Mount the Secret at this path; senders are asked to come again until then.',
  })
}
