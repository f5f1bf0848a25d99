import type { BinaryOperator, Expression } from '../expressions/ast.ts'
import { FUNCTIONS } from '../expressions/functions.ts'
import { expressionText } from '../expressions/text.ts'
import { MillraceError } from '../model/errors.ts'
import type { Field } from '../model/schema.ts'
import { joined, js, NOTHING, path, property, type Code } from './emitter.ts'
import { parseTime } from '../model/timestamp-text.ts'
import { splitPart } from './split-part.ts'
import { isIndex, isSplit } from './split-steps.ts'

/**
 * Checked expressions → JavaScript. Null rules: arithmetic, templates, calls and members with a null operand
 * give null and do not look at the rest; `<` and its like with a null are false; `===`, `!==`, `??`, `&&`, `||`
 * and the test of `?:` do what JavaScript does (null is equal to null only, and is not true).
 *
 * Numbers: a value in the middle of an expression that is compared, divided, made text or handed to a function must be
 * finite, and exact where it is a long, as a field must be: else VALUE_INVALID names that part of the expression.
 *
 * One instance per generated function: it hands out the function's temporary variables.
 */
export class ExpressionEmitter {
  readonly #row: Code
  readonly #rows: Readonly<Record<string, Code>>
  readonly #field: (row: Code, name: string) => Code
  #temporaries = 0

  /**
   * `row` is the JavaScript name of the variable that holds the row the expression reads; `rows` those of the rows that
   * have a name in its scope, by that name. Temporaries are called after `row`. `field` gives the JavaScript of a field
   * of such a variable, where that is not a property of it.
   */
  constructor(
    row: Code,
    rows: Readonly<Record<string, Code>> = {},
    field: (row: Code, name: string) => Code = (variable, name) => js`${variable}${property(name)}`,
  ) {
    this.#row = row
    this.#rows = rows
    this.#field = field
  }

  /** The declaration that must stand before the first use of what `emit` returned; empty when there is none. */
  declarations(): Code {
    if (this.#temporaries === 0) return NOTHING
    return js`let ${Array.from({ length: this.#temporaries }, (_, n) => this.#temporary(n))}`
  }

  #temporary(n: number): Code {
    return js`${this.#row}t${n}`
  }

  /** JavaScript that computes the expression: never undefined, null only where the expression is nullable. */
  emit(expression: Expression): Code {
    switch (expression.kind) {
      case 'literal':
        return js`${expression.value}`
      case 'field':
        return this.#field(this.#variable(expression.of), expression.name)
      case 'unary':
        return this.#strict(
          [expression.operand],
          ([operand = NOTHING]) => js`(${OPERATORS[expression.operator]} ${operand})`,
          'null',
          () => true,
        )
      case 'binary':
        return this.#binary(expression)
      case 'logical':
        return js`(${this.emit(expression.left)} ${OPERATORS[expression.operator]} ${this.emit(expression.right)})`
      case 'conditional':
        return js`(${this.emit(expression.test)} ? ${this.emit(expression.then)} : ${this.emit(expression.otherwise)})`
      case 'call':
        return this.#call(expression.function, expression.arguments)
      case 'member':
        return this.#member(expression.object, expression.property)
      case 'template':
        return this.#strict(expression.parts, (parts) => js`(${joined([js`''`, ...parts], ' + ')})`, 'null')
    }
  }

  #variable(of: string | undefined): Code {
    const variable = of === undefined ? this.#row : this.#rows[of]
    if (variable === undefined)
      throw new MillraceError(
        'ROW_UNKNOWN',
        `expression reads the row ${JSON.stringify(of)}, which is not in its scope`,
      )
    return variable
  }

  /** `build` of the emitted operands, or `whenNull` as soon as one that may be null is null. */
  #strict(
    operands: readonly Expression[],
    build: (emitted: readonly Code[]) => Code,
    whenNull: 'null' | 'false',
    passes: (operand: Expression) => boolean = () => false,
  ): Code {
    const tests: Code[] = []
    const emitted = operands.map((operand) => {
      const value = passes(operand) ? this.emit(operand) : this.#checked(operand)
      if (!operand.nullable) return value
      const temporary = this.#temporary(this.#temporaries++)
      tests.push(js`(${temporary} = ${value}) === null`)
      return temporary
    })
    const result = build(emitted)
    if (tests.length === 0) return result
    return js`(${joined(tests, ' || ')} ? ${whenNull === 'null' ? null : false} : ${result})`
  }

  /** As emit, for an operand from whose value something else is made. */
  #checked(expression: Expression): Code {
    const value = this.emit(expression)
    if (!mayBreak(expression)) return value
    return js`${expression.type === 'double' ? js`finite` : js`exact`}(${value}, ${shortText(expression)})`
  }

  #binary(expression: Expression & { kind: 'binary' }): Code {
    const { operator, left, right } = expression
    const build = ([l = NOTHING, r = NOTHING]: readonly Code[]): Code => js`(${l} ${OPERATORS[operator]} ${r})`
    switch (operator) {
      case '===':
      case '!==':
        return build([this.#checked(left), this.#checked(right)])
      // what is not finite stays so through these
      case '+':
      case '-':
      case '*':
        return this.#strict([left, right], build, 'null', ({ type }) => type === 'double')
      case '<':
      case '<=':
      case '>':
      case '>=':
        return this.#strict([left, right], build, 'false')
      // a unary minus may not stand before ** without parentheses; every operand here has its own
      default:
        return this.#strict([left, right], build, 'null')
    }
  }

  #call(name: string, args: readonly Expression[]): Code {
    const listed = FUNCTIONS.get(name)
    if (listed === undefined)
      throw new MillraceError('UNKNOWN_FUNCTION', `expression calls ${JSON.stringify(name)}, which is not listed`)
    const { emission, signatures } = listed
    const mayGiveNothing = signatures.some((signature) => signature.resultNullable === true)
    return this.#strict(
      args,
      (emitted) => {
        const [receiver = NOTHING, ...rest] = emitted
        const guarded = CAN_THROW.get(name)
        if (guarded !== undefined) return js`${guarded}(${callText(name, args)}, ${emitted})`
        if (name === 'String' && args[0]?.type === 'json') return js`jsonText(${receiver})`
        if (name === 'Date.parse') return js`parseTime(${emitted})`
        const call =
          emission.emit === 'global'
            ? js`${path(emission.name)}(${emitted})`
            : js`(${receiver}).${path(emission.name)}(${rest})`
        return mayGiveNothing ? js`(${call} ?? null)` : call
      },
      'null',
      () => GUARDS.has(name),
    )
  }

  #member(object: Expression, member: string | number): Code {
    if (isSplit(object) && isIndex(member)) {
      const [text, separator] = object.arguments
      return this.#strict(
        [text],
        ([emitted = NOTHING]) => js`splitPart(${emitted}, ${separator.value}, ${member})`,
        'null',
      )
    }
    if (object.type === 'json') return js`jsonStep(${this.emit(object)}, ${member})`
    if (object.type === 'string' && member === 'length')
      return this.#strict([object], ([text = NOTHING]) => js`${text}.length`, 'null')
    throw new MillraceError('UNKNOWN_MEMBER', `${object.type} has no member ${JSON.stringify(member)}`)
  }
}

/** The operators of expressions, which are those of JavaScript. */
const OPERATORS: Readonly<Record<BinaryOperator | '&&' | '||' | '??' | '!', Code>> = {
  '+': js`+`,
  '-': js`-`,
  '*': js`*`,
  '/': js`/`,
  '%': js`%`,
  '**': js`**`,
  '===': js`===`,
  '!==': js`!==`,
  '<': js`<`,
  '<=': js`<=`,
  '>': js`>`,
  '>=': js`>=`,
  '&': js`&`,
  '|': js`|`,
  '^': js`^`,
  '<<': js`<<`,
  '>>': js`>>`,
  '>>>': js`>>>`,
  '&&': js`&&`,
  '||': js`||`,
  '??': js`??`,
  '!': js`!`,
}

/** Functions that test a number, which may therefore be any. */
const GUARDS: ReadonlySet<string> = new Set(['Number.isFinite', 'Number.isInteger'])

/** Functions that give an exact or finite number for every such argument. */
const TOTAL: ReadonlySet<string> = new Set([
  'Math.abs',
  'Math.sign',
  'Math.min',
  'Math.max',
  'Math.sin',
  'Math.cos',
  'Math.atan',
  'Math.tanh',
  'string.indexOf',
  'string.lastIndexOf',
])

/** Listed functions that throw for some arguments, and what is called instead, with the call as written first. */
const CAN_THROW: ReadonlyMap<string, Code> = new Map([
  ['JSON.parse', js`parseJsonText`],
  ['number.toFixed', js`fixedText`],
])

/** Whether an expression may compute a number that no field can hold. */
function mayBreak(expression: Expression): boolean {
  if (expression.type !== 'long' && expression.type !== 'double' && expression.type !== 'timestamp') return false
  switch (expression.kind) {
    case 'literal':
    case 'field':
    case 'member':
    case 'template':
      return false
    case 'unary':
      return mayBreak(expression.operand)
    case 'conditional':
      return mayBreak(expression.then) || mayBreak(expression.otherwise)
    case 'logical':
      return mayBreak(expression.left) || mayBreak(expression.right)
    case 'binary':
      return !['&', '|', '^', '<<', '>>', '>>>'].includes(expression.operator) && !dividesSafely(expression)
    case 'call':
      return !TOTAL.has(expression.function)
  }
}

/** The divisor is a literal far enough from zero; the dividend has been checked. */
function dividesSafely({ operator, right }: Expression & { kind: 'binary' }): boolean {
  const by = right.kind === 'literal' && typeof right.value === 'number' ? Math.abs(right.value) : 0
  return (operator === '%' && by > 0) || (operator === '/' && by >= 1)
}

const LONGEST_TEXT = 120

function shortText(expression: Expression): string {
  const text = expressionText(expression)
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
}

/** A call as it was written. */
function callText(name: string, args: readonly Expression[]): string {
  return shortText({ kind: 'call', function: name, arguments: args, type: 'json', nullable: false })
}

/** The value of a part of an expression if it is finite, else VALUE_INVALID. Null passes: the caller checks for it. */
function finite(value: number | null, text: string): number | null {
  if (value === null || value - value === 0) return value
  throw new MillraceError('VALUE_INVALID', `${text} is ${String(value)}: it must be finite`, { domain: 'user' })
}

function exact(value: number | null, text: string): number | null {
  if (value === null || (value | 0) === value || Number.isSafeInteger(value)) return value
  throw new MillraceError('VALUE_INVALID', `${text} is ${String(value)}: it must be an integer of at most 2^53 - 1`, {
    domain: 'user',
  })
}

function parseJsonText(call: string, text: string): unknown {
  try {
    return (JSON.parse(text) as unknown) ?? null
  } catch (cause) {
    throw new MillraceError('VALUE_INVALID', `${call} has no answer`, { domain: 'user', cause })
  }
}

function fixedText(call: string, value: number, digits?: number): string {
  try {
    return value.toFixed(digits)
  } catch (cause) {
    throw new MillraceError('VALUE_INVALID', `${call} has no answer`, { domain: 'user', cause })
  }
}

/** What emitted expressions and checks refer to: spread it into the scope of `compile`. */
export const EXPRESSION_SCOPE: Readonly<Record<string, unknown>> = {
  jsonStep,
  refuseValue,
  splitPart,
  finite,
  exact,
  parseJsonText,
  fixedText,
  jsonText,
  parseTime,
}

/**
 * Objects and arrays by their JSON: JavaScript's own text says `[object Object]` of the one and forgets the
 * brackets of the other.
 */
function jsonText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** One step into a json value: its own properties only, so nothing ever reaches a prototype. */
function jsonStep(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return null
  return (value as Readonly<Record<string | number, unknown>>)[key] ?? null
}

/**
 * A statement that throws VALUE_INVALID when the variable does not hold a value of the field's type as far as
 * arithmetic can break it: NaN, infinity, a long that is not an exact integer, null where it is not allowed.
 */
export function valueCheck(field: Field, variable: Code, source: Expression): Code {
  const wrong = wrongNumber(field, variable)
  const tests: Code[] = []
  if (wrong !== undefined) tests.push(source.nullable ? js`${variable} !== null && ${wrong}` : wrong)
  if (source.nullable && !field.nullable) tests.push(js`${variable} === null`)
  if (tests.length === 0) return NOTHING
  const refusal = js`refuseValue(${field.name}, ${field.type}, ${variable}, ${shortText(source)})`
  return js`if (${joined(tests, ' || ')}) ${refusal}`
}

function wrongNumber(field: Field, variable: Code): Code | undefined {
  switch (field.type) {
    // small integers, the common case, take one comparison; NaN and infinity are not integers
    case 'long':
    case 'timestamp':
      return js`((${variable} | 0) !== ${variable} && !Number.isSafeInteger(${variable}))`
    case 'double':
      return js`(${variable} - ${variable} !== 0)`
    case 'boolean':
    case 'string':
    case 'json':
      return undefined
  }
}

function refuseValue(field: string, type: string, value: unknown, text: string): never {
  const reason =
    value === null
      ? 'it may not be null'
      : type === 'double'
        ? 'it must be finite'
        : 'it must be an integer of at most 2^53 - 1'
  throw new MillraceError(
    'VALUE_INVALID',
    `field '${field}' (${type}) would be ${String(value)}: ${reason}${text === field ? '' : `; it is ${text}`}`,
    { domain: 'user' },
  )
}
