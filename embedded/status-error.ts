import { MillraceError } from '../runtime/model/errors.ts'
import type { JsonObject } from './objects.ts'

/** One field that is wrong, with the texts and types of the real server's field errors. */
export interface FieldError {
  type:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueDuplicate'
    | 'FieldValueNotFound'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid'
  field: string
  /** Without the field: `Invalid value: 0: spec.replicas in body should be …`. */
  message: string
}

/** What identifies a kind of object in error texts: `pods`, `streamjobs.millrace.dev`. */
export interface ResourceName {
  group: string
  plural: string
  kind: string
}

/** An answer other than success, shaped as the `Status` object that every Kubernetes client understands. */
export class ApiStatusError extends MillraceError {
  readonly httpCode: number
  readonly reason: string
  readonly details: JsonObject

  constructor(httpCode: number, reason: string, message: string, details: JsonObject = {}) {
    super(`API_${reason.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()}`, message, { domain: 'user' })
    this.name = 'ApiStatusError'
    this.httpCode = httpCode
    this.reason = reason
    this.details = details
  }

  toStatus(): JsonObject {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      details: this.details,
      code: this.httpCode,
    }
  }
}

const resourceText = (resource: ResourceName): string =>
  resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`

const detailsOf = (resource: ResourceName, name: string): JsonObject => ({
  name,
  ...(resource.group === '' ? {} : { group: resource.group }),
  kind: resource.plural,
})

export function notFound(resource: ResourceName, name: string): ApiStatusError {
  return new ApiStatusError(404, 'NotFound', `${resourceText(resource)} "${name}" not found`, detailsOf(resource, name))
}

export function unknownPath(): ApiStatusError {
  return new ApiStatusError(404, 'NotFound', 'the server could not find the requested resource')
}

export function alreadyExists(resource: ResourceName, name: string): ApiStatusError {
  return new ApiStatusError(
    409,
    'AlreadyExists',
    `${resourceText(resource)} "${name}" already exists`,
    detailsOf(resource, name),
  )
}

export function conflict(resource: ResourceName, name: string, why?: string): ApiStatusError {
  const reason = why ?? 'the object has been modified; please apply your changes to the latest version and try again'
  return new ApiStatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resourceText(resource)} "${name}": ${reason}`,
    detailsOf(resource, name),
  )
}

/** 422 with one cause per field, as `kubectl` prints them. */
export function invalid(resource: ResourceName, name: string, errors: readonly FieldError[]): ApiStatusError {
  const texts = errors.map((error) => `${error.field}: ${error.message}`)
  const kind = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`
  const text = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
  return new ApiStatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${text}`, {
    name,
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.kind,
    causes: errors.map((error) => ({ reason: error.type, message: error.message, field: error.field })),
  })
}

export function badRequest(message: string): ApiStatusError {
  return new ApiStatusError(400, 'BadRequest', message)
}

export function forbidden(message: string): ApiStatusError {
  return new ApiStatusError(403, 'Forbidden', message)
}

export function methodNotAllowed(
  message = 'the server does not allow this method on the requested resource',
): ApiStatusError {
  return new ApiStatusError(405, 'MethodNotAllowed', message)
}

/** 410: what a watch gets that asks for a version that is no longer kept; the client has to list again. */
export function expired(wanted: string, oldest: number): ApiStatusError {
  return new ApiStatusError(410, 'Expired', `too old resource version: ${wanted} (${oldest})`)
}
