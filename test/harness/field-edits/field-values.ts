/** As much of a schema of a CRD as the values are made from. */
export interface Schema {
  type?: string
  default?: unknown
  enum?: readonly unknown[]
  minimum?: number
  maximum?: number
  pattern?: string
  properties?: Readonly<Record<string, Schema>>
}

/** One field of a spec with one value; `undefined` takes the field away. */
export interface FieldEdit {
  path: readonly string[]
  /** Why this value: absent, default, min, max, enum, invalid. */
  kind: string
  value: unknown
}

const DURATION = '\\d+(\\.\\d+)?(ms|s|m|h|d)'

/** Every field of a schema with each value that is worth a try, in the order of the schema. Pure. */
export function fieldEdits(schema: Schema, path: readonly string[] = []): FieldEdit[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const at = [...path, name]
    return [...valuesOf(field).map(([kind, value]) => ({ path: at, kind, value })), ...fieldEdits(field, at)]
  })
}

/** What the schema does not allow is there, too: an older CRD may have taken it. */
function valuesOf(field: Schema): [kind: string, value: unknown][] {
  const { minimum, maximum } = field
  return [
    ['absent', undefined],
    ...(field.default === undefined ? [] : [['default', field.default] as [string, unknown]]),
    ...(minimum === undefined
      ? []
      : [['min', minimum] as [string, unknown], ['invalid', minimum - 1] as [string, unknown]]),
    ...(maximum === undefined
      ? []
      : [['max', maximum] as [string, unknown], ['invalid', maximum + 1] as [string, unknown]]),
    ...(field.enum ?? []).map((value): [string, unknown] => ['enum', value]),
    ...byType(field),
  ]
}

/** Always of the type: no version of a CRD has let the API server store another. */
function byType({ type, pattern = '' }: Schema): [kind: string, value: unknown][] {
  if (type === 'boolean')
    return [
      ['enum', true],
      ['enum', false],
    ]
  if (type === 'array') return [['min', []]]
  if (type === 'object') return [['min', {}]]
  if (type !== 'string') return []
  const durations: [string, unknown][] = [
    ['min', '1s'],
    ['max', '1d'],
    ['invalid', '-1s'],
  ]
  return [['min', ''], ['invalid', '\u0000 x'], ...(pattern.includes(DURATION) ? durations : [])]
}

export function textOf({ path, kind, value }: FieldEdit): string {
  return `${path.join('.')} ${kind} ${JSON.stringify(value) ?? 'absent'}`
}

/** The spec with the field as the edit has it. Pure. */
export function edited<T extends object>(spec: T, { path, value }: FieldEdit): T {
  const copy = structuredClone(spec)
  const parents = path.slice(0, -1)
  let parent = copy as Record<string, unknown>
  for (const name of parents) {
    const known = parent[name]
    const next = typeof known === 'object' && known !== null && !Array.isArray(known) ? known : {}
    parent[name] = next
    parent = next as Record<string, unknown>
  }
  const last = path.at(-1) ?? ''
  if (value === undefined) Reflect.deleteProperty(parent, last)
  else parent[last] = value
  return copy
}
