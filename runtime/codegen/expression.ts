import type { BinaryOperator, Expression, ExpressionType } from '../expressions/ast.ts'
import { DATE_CALLS, kindOf } from '../expressions/date-calls.ts'
import { FUNCTIONS } from '../expressions/functions.ts'
import { addTime, datePart, timeBetween, truncateTime } from '../model/calendar.ts'
import { formatTime, parseFormatted } from '../model/time-format.ts'
import { expressionText } from '../expressions/text.ts'
import { asDecimal, isDecimalOperator, isExact } from '../expressions/typing.ts'
import { bigintText, decimalParts, is64Bit } from '../model/decimal-text.ts'
import { wholeResult, type DecimalOperator, type DecimalType } from '../model/decimal-type.ts'
import {
  compareDecimalTexts,
  hasDigits,
  powerOfTen,
  rescaled,
  roundedQuotient,
  textOfUnits,
  unitsOf,
} from '../model/decimal-units.ts'
import { MillraceError } from '../model/errors.ts'
import type { Field } from '../model/schema.ts'
import { bigint, joined, js, NOTHING, path, property, type Code } from './emitter.ts'
import { parseTime } from '../model/timestamp-text.ts'
import { extractPattern, matchesPattern, replaceMatch, replaceMatches } from '../memory/patterns.ts'
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
        if (isExact(expression)) return this.#decimalText(expression)
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
        if (isExact(expression)) return this.#decimalText(expression)
        return this.#call(expression.function, expression.arguments)
      case 'member':
        return this.#member(expression.object, expression.property)
      case 'object':
        return js`({ ${expression.members.map(({ key, value }) => this.#memberOfObject(key, value))} })`
      case 'template':
        return this.#strict(expression.parts, (parts) => js`(${joined([js`''`, ...parts], ' + ')})`, 'null')
    }
  }

  /** A key in brackets is never the prototype of the object. */
  #memberOfObject(key: string, value: Expression): Code {
    const emitted = this.#checked(value)
    return key === '__proto__' ? js`[${key}]: ${emitted}` : js`${key}: ${emitted}`
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

  /**
   * `build` of the emitted operands, or `whenNull` as soon as one that may be null is null. Operands that `passes` are
   * not checked; with 'units' they are decimals by their units.
   */
  #strict(
    operands: readonly Expression[],
    build: (emitted: readonly Code[]) => Code,
    whenNull: 'null' | 'false',
    passes: 'units' | ((operand: Expression) => boolean) = () => false,
  ): Code {
    const tests: Code[] = []
    const emitted = operands.map((operand) => {
      const value =
        passes === 'units' ? this.#units(operand) : passes(operand) ? this.emit(operand) : this.#checked(operand)
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

  /** The canonical text of a decimal that is computed. */
  #decimalText(expression: Expression): Code {
    return js`textOfUnits(${this.#units(expression)}, ${scaleOf(expression)})`
  }

  /**
   * The units of a decimal or long, null where it is null. Only the ends of a computation are texts: what is computed in
   * the middle stays a bigint.
   */
  #units(expression: Expression): Code {
    if (expression.type === 'long') return js`unitsOfLong(${this.#checked(expression)})`
    if (expression.kind === 'binary') return this.#decimalBinary(expression)
    if (expression.kind === 'unary' && isExact(expression.operand))
      return this.#strict(
        [expression.operand],
        ([operand = NOTHING]) => {
          if (expression.operator !== '-') return operand
          return isBigint(expression) ? js`fitBigint(-${operand}, ${shortText(expression)})` : js`(-${operand})`
        },
        'null',
        'units',
      )
    if (expression.kind === 'call') return this.#decimalCall(expression.function, expression.arguments, expression)
    if (expression.kind === 'literal' && typeof expression.value === 'string')
      return js`${bigint(unitsOf(expression.value, scaleOf(expression)))}`
    return js`unitsOf(${this.emit(expression)}, ${scaleOf(expression)})`
  }

  #decimalBinary(expression: Expression & { kind: 'binary' }): Code {
    const { operator, left, right } = expression
    if (!isDecimalOperator(operator)) throw new MillraceError('OPERATOR_UNKNOWN', `there is no ${operator} of decimals`)
    const [one, other] = [typeOf(left), typeOf(right)]
    const result = typeOf(expression)
    const text = shortText(expression)
    if (isBigint(expression))
      return this.#strict(
        [left, right],
        ([l = NOTHING, r = NOTHING]) => js`fitBigint(${bigintCode(operator, l, r, text)}, ${text})`,
        'null',
        'units',
      )
    const whole = wholeResult(operator, one, other)
    return this.#strict(
      [left, right],
      ([l = NOTHING, r = NOTHING]) => {
        const value = decimalCode(operator, l, r, { one, other, result, text })
        const rounded =
          operator === '/' || whole.scale === result.scale
            ? value
            : js`rescaled(${value}, ${whole.scale}, ${result.scale})`
        return whole.precision <= result.precision ? rounded : js`fitDecimal(${rounded}, ${result.precision}, ${text})`
      },
      'null',
      'units',
    )
  }

  #decimalCall(name: string, args: readonly Expression[], expression: Expression): Code {
    const [value] = args as readonly [Expression]
    const { precision, scale } = typeOf(expression)
    const text = shortText(expression)
    if (name === 'Math.abs')
      return this.#strict(
        [value],
        ([units = NOTHING]) =>
          isBigint(expression) ? js`fitBigint(absolute(${units}), ${text})` : js`absolute(${units})`,
        'null',
        'units',
      )
    if (name === 'BigInt') return this.#strict([value], ([given = NOTHING]) => js`toBigint(${given}, ${text})`, 'null')
    if (value.type === 'long' || isExact(value))
      return this.#strict(
        [value],
        ([units = NOTHING]) =>
          js`fitDecimal(rescaled(${units}, ${typeOf(value).scale}, ${scale}), ${precision}, ${text})`,
        'null',
        'units',
      )
    return this.#strict(
      [value],
      ([given = NOTHING]) => js`toDecimal(${given}, ${precision}, ${scale}, ${text})`,
      'null',
    )
  }

  /** `<` and its like, and equality across scales: by the numbers. Texts of one scale are equal when they are the same. */
  #decimalComparison({ operator, left, right }: Expression & { kind: 'binary' }): Code {
    const [one, other] = [scaleOf(left), scaleOf(right)]
    const isEquality = operator === '===' || operator === '!=='
    const areTexts = [left, right].every((side) => isExact(side) && ['field', 'literal', 'member'].includes(side.kind))
    if (areTexts && one === other) {
      if (isEquality) return js`(${this.emit(left)} ${OPERATORS[operator]} ${this.emit(right)})`
      return this.#strict(
        [left, right],
        ([l = NOTHING, r = NOTHING]) => js`(compareDecimalTexts(${l}, ${r}) ${OPERATORS[operator]} 0)`,
        'false',
      )
    }
    const scale = Math.max(one, other)
    const aligned = ([l = NOTHING, r = NOTHING]: readonly Code[]): Code =>
      js`(${shifted(l, one, scale)} ${OPERATORS[operator]} ${shifted(r, other, scale)})`
    return isEquality
      ? aligned([this.#units(left), this.#units(right)])
      : this.#strict([left, right], aligned, 'false', 'units')
  }

  #binary(expression: Expression & { kind: 'binary' }): Code {
    const { operator, left, right } = expression
    if (isExact(expression)) return this.#decimalText(expression)
    if (comparesDecimals(expression)) return this.#decimalComparison(expression)
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
    if (DATE_CALLS.has(name)) return this.#dateCall(name, args)
    const ofPattern = PATTERN_FUNCTIONS.get(name)
    if (ofPattern !== undefined) return this.#strict(args, (emitted) => js`${ofPattern}(${emitted})`, 'null')
    const listed = FUNCTIONS.get(name)
    if (listed === undefined)
      throw new MillraceError('UNKNOWN_FUNCTION', `expression calls ${JSON.stringify(name)}, which is not listed`)
    const { emission, signatures } = listed
    const mayGiveNothing = signatures.some((signature) => signature.resultNullable === true)
    return this.#strict(
      args,
      (emitted) => {
        const [receiver = NOTHING, ...rest] = emitted
        const [first] = args
        if (first !== undefined && isExact(first) && DECIMAL_ROUNDING.has(name))
          return js`wholeOf(${receiver}, ${scaleOf(first)}, ${name}, ${callText(name, args)})`
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

  /** Dates count days; the functions take moments. */
  #dateCall(name: string, args: readonly Expression[]): Code {
    const { takes = [], gives } = DATE_CALLS.get(name) ?? {}
    const isDate = args.some((argument) => kindOf(argument) === 'date')
    return this.#strict(
      args,
      (emitted) => {
        const given = takes.map((parameter, index) => {
          const value = emitted[index] ?? NOTHING
          return parameter === 'moment' && isDate ? js`${value} * 86400000` : value
        })
        const zone = emitted[takes.length] ?? js`${'UTC'}`
        const own = DATE_FUNCTIONS.get(name)
        const [at = NOTHING] = given
        if (own === undefined) return js`datePart(${at}, ${name.slice('Date.'.length)}, ${zone})`
        const call = js`${own}(${[...given, zone]})`
        return isDate && gives === 'same' ? js`Math.floor(${call} / 86400000)` : call
      },
      'null',
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

const DECIMAL_ROUNDING: ReadonlySet<string> = new Set(['Math.floor', 'Math.ceil', 'Math.trunc'])

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

const DATE_FUNCTIONS: ReadonlyMap<string, Code> = new Map([
  ['Date.truncate', js`truncateTime`],
  ['Date.add', js`addTime`],
  ['Date.diff', js`timeBetween`],
  ['Date.format', js`formatTime`],
  ['Date.parseAs', js`parseFormatted`],
])

/** What is called with the text, the pattern, its flags, and what the call wants besides. */
const PATTERN_FUNCTIONS: ReadonlyMap<string, Code> = new Map([
  ['string.matches', js`matchesPattern`],
  ['string.extract', js`extractPattern`],
  ['string.replaceMatch', js`replaceMatch`],
  ['string.replaceMatches', js`replaceMatches`],
])

/** Whether an expression may compute a number that no field can hold. */
function mayBreak(expression: Expression): boolean {
  if (expression.type !== 'long' && expression.type !== 'double' && expression.type !== 'timestamp') return false
  switch (expression.kind) {
    case 'literal':
    case 'field':
    case 'member':
    case 'object':
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

/** How two operands of decimals are computed, before the result is rounded. */
function decimalCode(
  operator: DecimalOperator,
  left: Code,
  right: Code,
  { one, other, result, text }: { one: DecimalType; other: DecimalType; result: DecimalType; text: string },
): Code {
  const scale = Math.max(one.scale, other.scale)
  const [l, r] = [shifted(left, one.scale, scale), shifted(right, other.scale, scale)]
  switch (operator) {
    case '+':
    case '-':
      return js`(${l} ${OPERATORS[operator]} ${r})`
    case '*':
      return js`(${left} * ${right})`
    case '%':
      return js`remainderOf(${l}, ${r}, ${text})`
    case '/': {
      const digits = result.scale + other.scale - one.scale
      return digits >= 0
        ? js`quotientOf(${shifted(left, 0, digits)}, ${right}, ${text})`
        : js`quotientOf(${left}, ${shifted(right, 0, -digits)}, ${text})`
    }
  }
}

/** How two operands of bigints are computed; the rest of a division is left out, as in SQL and JavaScript. */
function bigintCode(operator: DecimalOperator, left: Code, right: Code, text: string): Code {
  if (operator === '/') return js`wholeQuotientOf(${left}, ${right}, ${text})`
  return operator === '%' ? js`remainderOf(${left}, ${right}, ${text})` : js`(${left} ${OPERATORS[operator]} ${right})`
}

/** Units of one scale at a larger one. */
function shifted(units: Code, from: number, to: number): Code {
  return from === to ? units : js`rescaled(${units}, ${from}, ${to})`
}

function isBigint({ logical }: ExpressionType): boolean {
  return logical?.kind === 'bigint'
}

function typeOf(expression: ExpressionType): DecimalType {
  const type = asDecimal(expression)
  if (type === undefined) throw new MillraceError('TYPE_UNKNOWN', `${expression.type} is no decimal`)
  return type
}

function scaleOf(expression: ExpressionType): number {
  return typeOf(expression).scale
}

/** Nulls are compared as any other value is. */
function comparesDecimals({ operator, left, right }: Expression & { kind: 'binary' }): boolean {
  if (isDecimalOperator(operator)) return false
  const isNull = (side: Expression): boolean => side.kind === 'literal' && side.value === null
  return (isExact(left) || isExact(right)) && !isNull(left) && !isNull(right)
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

function unitsOfLong(value: number | null): bigint | null {
  return value === null ? null : BigInt(value)
}

function absolute(units: bigint): bigint {
  return units < 0n ? -units : units
}

function quotientOf(numerator: bigint, denominator: bigint, text: string): bigint {
  if (denominator === 0n) refuseDecimal(text, 'divides by zero')
  return roundedQuotient(numerator, denominator)
}

function wholeQuotientOf(dividend: bigint, divisor: bigint, text: string): bigint {
  if (divisor === 0n) refuseDecimal(text, 'divides by zero')
  return dividend / divisor
}

/** The sign is that of the dividend, as everywhere in JavaScript and SQL. */
function remainderOf(dividend: bigint, divisor: bigint, text: string): bigint {
  if (divisor === 0n) refuseDecimal(text, 'divides by zero')
  return dividend % divisor
}

function fitDecimal(units: bigint, precision: number, text: string): bigint {
  return hasDigits(units, precision) ? units : refuseDecimal(text, `has more than the ${precision} digits of its type`)
}

function fitBigint(value: bigint, text: string): bigint {
  return is64Bit(value) ? value : refuseDecimal(text, `is ${value}, beyond the 64 bits of a bigint`)
}

function toBigint(value: string | number, text: string): bigint {
  const digits = bigintText(String(value))
  return digits === undefined
    ? refuseDecimal(text, `is of ${JSON.stringify(value)}, which is no whole number of 64 bits`)
    : BigInt(digits)
}

function toDecimal(value: string | number, precision: number, scale: number, text: string): bigint {
  const digits = decimalParts(String(value))
  if (digits === undefined) refuseDecimal(text, `is of ${JSON.stringify(value)}, which is no number`)
  return fitDecimal(rescaled(digits.units, digits.scale, scale), precision, text)
}

/** Math.floor and its like of a decimal, exactly. */
function wholeOf(decimal: string, scale: number, name: string, text: string): number {
  const units = unitsOf(decimal, scale)
  const one = powerOfTen(scale)
  const cut = units / one
  const rest = units % one
  const whole = name === 'Math.floor' && rest < 0n ? cut - 1n : name === 'Math.ceil' && rest > 0n ? cut + 1n : cut
  return exact(Number(whole), text) ?? 0
}

function refuseDecimal(text: string, why: string): never {
  throw new MillraceError('VALUE_INVALID', `${text} ${why}`, { domain: 'user' })
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
  unitsOf,
  textOfUnits,
  rescaled,
  compareDecimalTexts,
  unitsOfLong,
  absolute,
  quotientOf,
  remainderOf,
  fitDecimal,
  toDecimal,
  fitBigint,
  toBigint,
  wholeQuotientOf,
  wholeOf,
  datePart,
  truncateTime,
  addTime,
  timeBetween,
  formatTime,
  parseFormatted,
  matchesPattern,
  extractPattern,
  replaceMatch,
  replaceMatches,
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
