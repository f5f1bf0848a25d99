import type { Json, JsonObject, KubeObject } from './objects.ts'
import { arrayAt, isObject, objectAt, stringAt, valueAt } from './objects.ts'
import type { FieldError } from './status-error.ts'
import { badRequest } from './status-error.ts'
import { isLabelValue, isQualifiedName } from './names.ts'

const QUANTITY = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/
const SCALES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/**
 * What a real server checks of the fields of a new pod that users of podTemplate write: names, references, quantities.
 * Throws 400 for a quantity that cannot be read, as decoding does there.
 */
export function podSpecErrors(pod: KubeObject): FieldError[] {
  const spec = objectAt(pod, 'spec')
  const volumes = new Set(arrayAt(spec, 'volumes').map((volume) => stringAt(volume, 'name') ?? ''))
  const seen = new Set<string>()
  return [
    ...selectorErrors(objectAt(spec, 'nodeSelector'), 'spec.nodeSelector'),
    ...hostErrors(spec),
    ...arrayAt(spec, 'volumes').flatMap((volume, index) =>
      nameErrors(stringAt(volume, 'name'), `spec.volumes[${index}].name`),
    ),
    ...arrayAt(spec, 'containers').flatMap((container, index) => {
      const path = `spec.containers[${index}]`
      const name = stringAt(container, 'name')
      const isTwice = name !== undefined && seen.has(name)
      if (name !== undefined) seen.add(name)
      return [
        ...nameErrors(name, `${path}.name`),
        ...(isTwice ? [fieldError('Duplicate', `${path}.name`, `Duplicate value: ${JSON.stringify(name)}`)] : []),
        ...imageErrors(stringAt(container, 'image'), `${path}.image`),
        ...mountErrors(container, volumes, path),
        ...resourceErrors(container, path),
      ]
    }),
  ]
}

function hostErrors(spec: JsonObject): FieldError[] {
  return ['hostname', 'subdomain'].flatMap((field) => {
    const value = stringAt(spec, field)
    return value === undefined || DNS_LABEL.test(value) ? [] : [invalidValue(`spec.${field}`, value, 'no DNS label')]
  })
}

function selectorErrors(selector: JsonObject, path: string): FieldError[] {
  return Object.entries(selector).flatMap(([key, value]) =>
    isQualifiedName(key) && typeof value === 'string' && isLabelValue(value)
      ? []
      : [invalidValue(path, `${key}: ${String(value)}`, 'no label')],
  )
}

function nameErrors(name: string | undefined, path: string): FieldError[] {
  if (name === undefined || name === '') return [fieldError('Required', path, 'Required value')]
  if (DNS_LABEL.test(name)) return []
  return [
    invalidValue(
      path,
      name,
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    ),
  ]
}

function imageErrors(image: string | undefined, path: string): FieldError[] {
  if (image === undefined || image === '') return [fieldError('Required', path, 'Required value')]
  return image.trim() === image ? [] : [invalidValue(path, image, 'must not have leading or trailing whitespace')]
}

function mountErrors(container: Json, volumes: ReadonlySet<string>, path: string): FieldError[] {
  const paths = new Set<string>()
  return arrayAt(container, 'volumeMounts').flatMap((mount, index) => {
    const [name = '', mountPath = ''] = [stringAt(mount, 'name'), stringAt(mount, 'mountPath')]
    const at = `${path}.volumeMounts[${index}]`
    const isTaken = paths.has(mountPath)
    paths.add(mountPath)
    return [
      ...(volumes.has(name) ? [] : [fieldError('NotFound', `${at}.name`, `Not found: ${JSON.stringify(name)}`)]),
      ...(mountPath === '' ? [fieldError('Required', `${at}.mountPath`, 'Required value')] : []),
      ...(isTaken ? [invalidValue(`${at}.mountPath`, mountPath, 'must be unique')] : []),
    ]
  })
}

function resourceErrors(container: Json, path: string): FieldError[] {
  const [requests, limits] = ['requests', 'limits'].map((part) => {
    const quantities = valueAt(container, 'resources', part)
    return new Map(
      Object.entries(isObject(quantities) ? quantities : {}).map(([name, quantity]) => [name, numberOf(quantity)]),
    )
  })
  return [...(requests ?? [])].flatMap(([name, request]) => {
    const limit = limits?.get(name)
    return limit === undefined || request <= limit
      ? []
      : [invalidValue(`${path}.resources.requests`, String(request), `must be less than or equal to ${name} limit`)]
  })
}

function numberOf(quantity: Json | undefined): number {
  const [, digits = '', suffix = ''] = QUANTITY.exec(String(quantity)) ?? []
  const scale = SCALES[suffix] ?? (/^[eE][-+]?\d+$/.test(suffix) ? Number(`1${suffix}`) : Number.NaN)
  const value = digits === '' ? Number.NaN : Number(digits) * scale
  if (Number.isNaN(value))
    throw badRequest(
      `Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression '${QUANTITY.source}'`,
    )
  return value
}

function invalidValue(field: string, value: string, detail: string): FieldError {
  return fieldError('Invalid', field, `Invalid value: ${JSON.stringify(value)}: ${detail}`)
}

function fieldError(
  type: 'Invalid' | 'Required' | 'Duplicate' | 'NotFound',
  field: string,
  message: string,
): FieldError {
  return { type: `FieldValue${type}`, field, message }
}
