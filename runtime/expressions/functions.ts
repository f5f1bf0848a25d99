import type { ExpressionType } from './ast.ts'
import type { FieldType } from '../model/schema.ts'

/**
 * Everything an expression may call, as data: the checker takes types from here, the generator the emission.
 * What is not listed cannot be called. Null rule for all: a null argument makes the result null, and the
 * function is not called. Functions must be deterministic: a restored job computes the same again.
 */
export interface ListedFunction {
  signatures: readonly Signature[]
  emission: Emission
}

/** `rest` repeats the last parameter any number of times; `optional` counts parameters that may be left out. */
export interface Signature {
  parameters: readonly ParameterType[]
  optional?: number
  rest?: 'repeats'
  result: FieldType
  /** The function can give null (or undefined, to be read as null) for arguments that are not null. */
  resultNullable?: true
}

/** `number` takes long and double, `any` every type. A long is accepted where a double is asked for. */
export type ParameterType = FieldType | 'number' | 'any'

/** How a call is written; arguments are emitted expressions. What becomes of NaN: codegen/expression.ts. */
export type Emission =
  /** `name(a, b)` with a name of the language, e.g. `Math.floor`. */
  | { emit: 'global'; name: string }
  /** `(a).name(b, c)`: the receiver is the first argument. */
  | { emit: 'method'; name: string }

const global = (name: string, ...signatures: Signature[]): [string, ListedFunction] => [
  name,
  { signatures, emission: { emit: 'global', name } },
]

const method = (
  receiver: 'string' | 'number' | 'boolean',
  name: string,
  ...signatures: Signature[]
): [string, ListedFunction] => [
  `${receiver}.${name}`,
  {
    signatures: signatures.map((signature) => ({ ...signature, parameters: [receiver, ...signature.parameters] })),
    emission: { emit: 'method', name },
  },
]

const keepsKind = (name: string): [string, ListedFunction] =>
  global(name, { parameters: ['long'], result: 'long' }, { parameters: ['double'], result: 'double' })

const extremum = (name: string): [string, ListedFunction] =>
  global(
    name,
    { parameters: ['long'], rest: 'repeats', result: 'long' },
    { parameters: ['timestamp'], rest: 'repeats', result: 'timestamp' },
    { parameters: ['double'], rest: 'repeats', result: 'double' },
  )

const toLong = (name: string): [string, ListedFunction] => global(name, { parameters: ['number'], result: 'long' })
const toDouble = (name: string): [string, ListedFunction] => global(name, { parameters: ['number'], result: 'double' })
const text = (name: string): [string, ListedFunction] => method('string', name, { parameters: [], result: 'string' })
const toNumber: Signature[] = [
  { parameters: ['long'], result: 'long' },
  { parameters: ['timestamp'], result: 'long' },
  { parameters: ['any'], result: 'double' },
]
const position: Signature = { parameters: ['string', 'long'], optional: 1, result: 'long' }
const contains: Signature = { parameters: ['string', 'long'], optional: 1, result: 'boolean' }
const cut: Signature = { parameters: ['long', 'long'], optional: 1, result: 'string' }
const pad: Signature = { parameters: ['long', 'string'], optional: 1, result: 'string' }
const swap: Signature = { parameters: ['string', 'string'], result: 'string' }

/** By the name used in `{ kind: 'call' }`: `Math.floor`, `string.slice`. */
export const FUNCTIONS: ReadonlyMap<string, ListedFunction> = new Map([
  ...['floor', 'ceil', 'round', 'trunc', 'sign'].map((name) => toLong(`Math.${name}`)),
  ...[
    'sqrt',
    'cbrt',
    'exp',
    'expm1',
    'log',
    'log2',
    'log10',
    'log1p',
    'sin',
    'cos',
    'tan',
    'asin',
    'acos',
    'atan',
    'sinh',
    'cosh',
    'tanh',
    'asinh',
    'acosh',
    'atanh',
    'fround',
  ].map((name) => toDouble(`Math.${name}`)),
  keepsKind('Math.abs'),
  extremum('Math.min'),
  extremum('Math.max'),
  global('Math.pow', { parameters: ['number', 'number'], result: 'double' }),
  global('Math.atan2', { parameters: ['number', 'number'], result: 'double' }),
  global('Math.hypot', { parameters: ['number'], rest: 'repeats', result: 'double' }),
  global('Number', ...toNumber),
  global('Number.parseFloat', { parameters: ['string'], result: 'double' }),
  global('Number.parseInt', { parameters: ['string', 'long'], optional: 1, result: 'long' }),
  global('parseFloat', { parameters: ['string'], result: 'double' }),
  global('parseInt', { parameters: ['string', 'long'], optional: 1, result: 'long' }),
  global('Number.isInteger', { parameters: ['any'], result: 'boolean' }),
  global('Number.isFinite', { parameters: ['any'], result: 'boolean' }),
  global('String', { parameters: ['any'], result: 'string' }),
  global('Boolean', { parameters: ['any'], result: 'boolean' }),
  global('Date.parse', { parameters: ['string'], result: 'timestamp' }),
  global('JSON.parse', { parameters: ['string'], result: 'json', resultNullable: true }),
  global('JSON.stringify', { parameters: ['any'], result: 'string' }),
  ...['toUpperCase', 'toLowerCase', 'trim', 'trimStart', 'trimEnd'].map(text),
  ...['slice', 'substring'].map((name) => method('string', name, cut)),
  ...['startsWith', 'endsWith', 'includes'].map((name) => method('string', name, contains)),
  ...['indexOf', 'lastIndexOf'].map((name) => method('string', name, position)),
  ...['padStart', 'padEnd'].map((name) => method('string', name, pad)),
  ...['replace', 'replaceAll'].map((name) => method('string', name, swap)),
  method('string', 'concat', { parameters: ['string'], rest: 'repeats', result: 'string' }),
  method('string', 'split', { parameters: ['string'], result: 'json' }),
  method('string', 'charAt', { parameters: ['long'], result: 'string' }),
  method('string', 'charCodeAt', { parameters: ['long'], result: 'long' }),
  method('string', 'at', { parameters: ['long'], result: 'string', resultNullable: true }),
  method('string', 'toString', { parameters: [], result: 'string' }),
  method('number', 'toFixed', { parameters: ['long'], optional: 1, result: 'string' }),
  method('number', 'toString', { parameters: [], result: 'string' }),
  method('boolean', 'toString', { parameters: [], result: 'string' }),
])

/** Numbers with a name; they become literals. */
export const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ...(['PI', 'E', 'LN2', 'LN10', 'LOG2E', 'LOG10E', 'SQRT2', 'SQRT1_2'] as const).map((name): [string, number] => [
    `Math.${name}`,
    Math[name],
  ]),
  ['Number.MAX_SAFE_INTEGER', Number.MAX_SAFE_INTEGER],
  ['Number.MIN_SAFE_INTEGER', Number.MIN_SAFE_INTEGER],
  ['Number.EPSILON', Number.EPSILON],
])

/** Names before a dot that are no fields. */
export const NAMESPACES: ReadonlySet<string> = new Set(
  [...FUNCTIONS.keys(), ...CONSTANTS.keys()].flatMap((name) =>
    /^[A-Z]/.test(name) && name.includes('.') ? [name.slice(0, name.indexOf('.'))] : [],
  ),
)

/** `Math.floor` and `parseInt`, not `string.slice`. */
export function isGlobalName(name: string): boolean {
  return FUNCTIONS.get(name)?.emission.emit !== 'method'
}

/**
 * Whether a text may be a key in a json value. `constructor` and `__proto__` are keys like any other: generated code
 * reads own properties only (`jsonStep`) and writes `__proto__` as one, so no key leads to a prototype.
 */
export function isMemberKey(name: string): boolean {
  return name.length <= 128
}

/** Whether it is the name of something that every object inherits, which no expression may call. */
export function isInherited(name: string): boolean {
  return name in Object.prototype || name === 'prototype'
}

/** The type of a call, or undefined when no signature takes these arguments. */
export function callType(listed: ListedFunction, given: readonly ExpressionType[]): ExpressionType | undefined {
  const signature = listed.signatures.find((candidate) => takes(candidate, given))
  if (signature === undefined) return undefined
  return {
    type: signature.result,
    nullable: signature.resultNullable === true || given.some((argument) => argument.nullable),
  }
}

/** `Math.max(long, …)`: the signatures as text, for error messages. */
export function signatureText(name: string, listed: ListedFunction): string {
  return listed.signatures
    .map((signature) => {
      const isMethod = listed.emission.emit === 'method'
      const first = signature.parameters.length - (signature.optional ?? 0)
      const names = signature.parameters.map((parameter, index) => (index >= first ? `${parameter}?` : parameter))
      if (signature.rest !== undefined) names.push('…')
      return `${name}(${(isMethod ? names.slice(1) : names).join(', ')})`
    })
    .join(' or ')
}

function takes(signature: Signature, given: readonly ExpressionType[]): boolean {
  const { parameters } = signature
  const least = parameters.length - (signature.optional ?? 0)
  if (given.length < least) return false
  if (given.length > parameters.length && signature.rest === undefined) return false
  return given.every((argument, index) => {
    const parameter = parameters[Math.min(index, parameters.length - 1)]
    return parameter !== undefined && fits(argument.type, parameter)
  })
}

function fits(type: FieldType, parameter: ParameterType): boolean {
  if (parameter === 'any' || parameter === type) return true
  return (parameter === 'number' || parameter === 'double') && (type === 'long' || type === 'double')
}
