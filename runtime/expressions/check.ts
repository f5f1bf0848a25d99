import type {
  Expression as Syntax,
  Literal,
  MemberExpression,
  CallExpression,
  ObjectExpression,
  Property,
  BinaryExpression,
  LogicalExpression,
  ConditionalExpression,
  UnaryExpression,
  TemplateLiteral,
} from 'acorn'
import { BINARY_OPERATORS, type BinaryOperator, type Expression, type ExpressionType } from './ast.ts'
import { binaryType, combinedType, describeType, isDecimalOperator as isArithmetic, isExact } from './typing.ts'
import {
  CONSTANTS,
  FUNCTIONS,
  NAMESPACES,
  callType,
  isGlobalName,
  isInherited,
  isMemberKey,
  signatureText,
} from './functions.ts'
import { expressionError } from './expression-error.ts'
import { sayingOf } from './sayings.ts'
import { suggestion } from './suggest.ts'
import { lookup, namesOf, rowOf, type Scope, type ScopedField } from './scope.ts'
import { bigintText, decimalText } from '../model/decimal-text.ts'
import { MAX_PRECISION } from '../model/decimal-type.ts'
import { patternCallType } from './pattern-calls.ts'
import { readPattern, type PatternSyntax } from './pattern-syntax.ts'
import { DATE_CALLS, dateCallType } from './date-calls.ts'
import { CONVERSIONS, decimalCallType, isDecimalSource } from './decimal-calls.ts'
import { parseValueType } from '../model/value-type.ts'
import {
  fieldOf,
  isFieldName,
  namedField,
  type Field,
  type FieldType,
  type LogicalType,
  type Schema,
} from '../model/schema.ts'

/** Deepest tree, in nodes; keeps every later pass away from the end of the stack. */
const MAX_DEPTH = 200

/**
 * Syntax tree → checked tree; the only way from user text to `Expression`, by allow list: a kind of node that is
 * not handled here is refused.
 *
 * Types. `+ - *  % & | ^ << >> >>>` of longs give long, `/` and `**` double; a double anywhere gives double, bits
 * want longs. `+` joins strings with strings only. timestamp ± number is a timestamp, timestamp − timestamp a long.
 * Comparisons want equal kinds, where long, double and timestamp are one kind.
 *
 * Nulls. Arithmetic, `!`, calls, templates and members: null in, null out. `< <= > >=` with null is false.
 * `===` and `!==` as in JavaScript: null equals null only. `&&`, `||`, and the test of `?:`: null counts as false,
 * with JavaScript's result. `??` takes the null away. A missing member of a json value is null.
 */
export function checkExpression(syntax: Syntax, text: string, scope: Scope): Expression {
  return new Checker(text, scope).typed(syntax, 0)
}

class Checker {
  readonly #text: string
  readonly #scope: Scope

  constructor(text: string, scope: Scope) {
    this.#text = text
    this.#scope = scope
  }

  /** As check, but a bare `null` is refused: here nothing says of which type it would be. */
  typed(node: Syntax, depth: number): Expression {
    const expression = this.check(node, depth + 1)
    if (isBareNull(expression))
      throw this.#error(
        node,
        'EXPRESSION_TYPE',
        'null has no type here',
        'null may stand in ===, !==, ?? and ?:, beside something that has a type',
      )
    return expression
  }

  check(node: Syntax, depth: number): Expression {
    if (depth > MAX_DEPTH)
      throw this.#error(node, 'EXPRESSION_TOO_LARGE', `the expression is nested more than ${MAX_DEPTH} deep`)
    switch (node.type) {
      case 'ParenthesizedExpression':
        return this.check(node.expression, depth + 1)
      // a?.b is a.b here: a null in gives a null out anyway
      case 'ChainExpression':
        return this.check(node.expression, depth + 1)
      case 'Literal':
        return this.#literal(node)
      case 'TemplateLiteral':
        return this.#template(node, depth)
      case 'Identifier':
        return this.#identifier(node, node.name)
      case 'UnaryExpression':
        return this.#unary(node, depth)
      case 'BinaryExpression':
        return this.#binary(node, depth)
      case 'LogicalExpression':
        return this.#logical(node, depth)
      case 'ConditionalExpression':
        return this.#conditional(node, depth)
      case 'MemberExpression':
        return this.#member(node, depth)
      case 'CallExpression':
        return this.#call(node, depth)
      case 'ObjectExpression':
        return this.#object(node, depth)
      default:
        throw this.#forbidden(
          node,
          `${WHAT_IT_IS[node.type] ?? node.type} cannot stand in an expression`,
          node.type === 'AssignmentExpression' ? 'compare with ===' : undefined,
        )
    }
  }

  #literal(node: Literal): Expression {
    const { value } = node
    if (value === null && node.raw === 'null') return { kind: 'literal', value, type: 'json', nullable: true }
    if (typeof value === 'string') return { kind: 'literal', value, type: 'string', nullable: false }
    if (typeof value === 'boolean') return { kind: 'literal', value, type: 'boolean', nullable: false }
    if (typeof value === 'number') return this.#number(node, value)
    if (typeof value === 'bigint') return this.#bigint(node, value)
    throw this.#forbidden(
      node,
      'a regular expression can only be matched',
      'write text.matches(/…/), text.extract(/…/, 1), text.replaceAll(/…/, by)',
    )
  }

  #bigint(node: Literal, value: bigint): Expression {
    const digits = bigintText(String(value))
    if (digits !== undefined)
      return { kind: 'literal', value: digits, type: 'string', logical: { kind: 'bigint' }, nullable: false }
    throw this.#error(node, 'EXPRESSION_TYPE', `${value} is beyond the 64 bits of a bigint`)
  }

  #number(node: Literal, value: number): Expression {
    if (!Number.isFinite(value))
      throw this.#error(node, 'EXPRESSION_TYPE', `the number ${node.raw ?? ''} is too large for a double`)
    const isLong = Number.isInteger(value) && !/[.eE]/.test(node.raw?.startsWith('0x') === true ? '' : (node.raw ?? ''))
    if (isLong && !Number.isSafeInteger(value)) {
      throw this.#error(
        node,
        'EXPRESSION_TYPE',
        `the number ${node.raw ?? ''} is not exact: a long goes to ±2^53`,
        `write ${node.raw ?? ''}n to have a bigint, or a decimal point for a double`,
      )
    }
    return { kind: 'literal', value, type: isLong ? 'long' : 'double', nullable: false }
  }

  #template(node: TemplateLiteral, depth: number): Expression {
    const parts: Expression[] = []
    node.quasis.forEach((quasi, index) => {
      const value = quasi.value.cooked ?? ''
      if (value !== '') parts.push({ kind: 'literal', value, type: 'string', nullable: false })
      const inner = node.expressions[index]
      if (inner === undefined) return
      const part = this.typed(inner, depth)
      if (part.type === 'json')
        throw this.#error(
          inner,
          'EXPRESSION_TYPE',
          'a json value has no text of its own',
          'use String(…) or JSON.stringify(…)',
        )
      parts.push(part)
    })
    return { kind: 'template', parts, type: 'string', nullable: parts.some((part) => part.nullable) }
  }

  #identifier(node: Syntax, name: string): Expression {
    const [found, other] = lookup(this.#scope, name)
    if (found !== undefined && other !== undefined) {
      throw this.#error(
        node,
        'FIELD_AMBIGUOUS',
        `"${name}" is a field of ${found.of ?? ''} and of ${other.of ?? ''}`,
        `write ${found.of ?? ''}.${name} or ${other.of ?? ''}.${name}`,
      )
    }
    if (found !== undefined) return fieldExpression(found)
    const row = rowOf(this.#scope, name)
    if (row !== undefined)
      throw this.#forbidden(
        node,
        `${name} is a whole row`,
        `write one of its fields, e.g. ${name}.${row.schema.fields[0]?.name ?? 'field'}`,
      )
    if (name === 'undefined') throw this.#forbidden(node, 'there is no undefined in a stream', 'use null')
    if (name === 'NaN' || name === 'Infinity')
      throw this.#forbidden(
        node,
        `there is no ${name} in a stream: where it comes up, the row is an error`,
        'ask Number.isFinite(…)',
      )
    if (FUNCTIONS.has(name) || NAMESPACES.has(name))
      throw this.#forbidden(node, `${name} can only be called, e.g. ${exampleOf(name)}`)
    throw this.#error(node, 'UNKNOWN_FIELD', `there is no field "${name}"`, suggestion(name, namesOf(this.#scope)))
  }

  #unary(node: UnaryExpression, depth: number): Expression {
    const { operator } = node
    if (operator !== '-' && operator !== '+' && operator !== '!')
      throw this.#forbidden(node, `the operator ${operator} cannot stand in an expression`)
    const operand = this.typed(node.argument, depth)
    const { type, nullable } = operand
    if (operator === '!') {
      if (type !== 'boolean')
        throw this.#error(node, 'EXPRESSION_TYPE', `! wants a boolean, this is ${describeType(operand)}`)
      return { kind: 'unary', operator, operand, type, nullable }
    }
    if (isExact(operand)) return { kind: 'unary', operator, operand, ...exactType(operand), nullable }
    if (type !== 'long' && type !== 'double') {
      throw this.#error(
        node,
        'EXPRESSION_TYPE',
        `${operator} wants a number, this is ${describeType(operand)}`,
        'convert it with Number(…)',
      )
    }
    return { kind: 'unary', operator, operand, type, nullable }
  }

  #binary(node: BinaryExpression, depth: number): Expression {
    const { operator } = node
    if (operator === '==' || operator === '!=') {
      throw this.#forbidden(node, `${operator} compares across types`, `use ${operator}=`)
    }
    if (!isBinaryOperator(operator) || node.left.type === 'PrivateIdentifier')
      throw this.#forbidden(node, `the operator ${operator} cannot stand in an expression`)
    const sides = withNullTyped(this.check(node.left, depth + 1), this.check(node.right, depth + 1))
    const [left, right] = [besideDecimal(sides[1], sides[0], operator), besideDecimal(sides[0], sides[1], operator)]
    const isNullTest =
      (operator === '===' || operator === '!==') && sides.some((side) => side.kind === 'literal' && side.value === null)
    const result = isNullTest ? { type: 'boolean' as const, nullable: false } : binaryType(operator, left, right)
    if ('problem' in result) throw this.#error(node, 'EXPRESSION_TYPE', result.problem, result.hint)
    return { kind: 'binary', operator, left, right, ...result }
  }

  #logical(node: LogicalExpression, depth: number): Expression {
    const { operator } = node
    const [left, right] = withNullTyped(this.check(node.left, depth + 1), this.check(node.right, depth + 1))
    if (operator === '??') {
      const sides: [Expression, Expression] = [withDigitsOf(right, left), withDigitsOf(left, right)]
      const type = this.#combined(node, 'both sides of ??', ...sides)
      return {
        kind: 'logical',
        operator,
        left: sides[0],
        right: sides[1],
        ...type,
        nullable: left.nullable && right.nullable,
      }
    }
    for (const side of [left, right]) {
      if (side.type !== 'boolean')
        throw this.#error(
          node,
          'EXPRESSION_TYPE',
          `${operator} wants booleans, one side is ${describeType(side)}`,
          operator === '||' ? 'for a default value use ??' : undefined,
        )
    }
    return {
      kind: 'logical',
      operator,
      left,
      right,
      type: 'boolean',
      nullable: operator === '||' ? right.nullable : left.nullable || right.nullable,
    }
  }

  #conditional(node: ConditionalExpression, depth: number): Expression {
    const test = this.typed(node.test, depth)
    if (test.type !== 'boolean')
      throw this.#error(
        node.test,
        'EXPRESSION_TYPE',
        `the test before ? must be boolean, this is ${describeType(test)}`,
      )
    const sides = withNullTyped(this.check(node.consequent, depth + 1), this.check(node.alternate, depth + 1))
    const [then, otherwise] = [withDigitsOf(sides[1], sides[0]), withDigitsOf(sides[0], sides[1])]
    const type = this.#combined(node, 'both answers of ?:', then, otherwise)
    return { kind: 'conditional', test, then, otherwise, ...type, nullable: then.nullable || otherwise.nullable }
  }

  #combined(node: Syntax, what: string, left: Expression, right: Expression): Pick<ExpressionType, 'type' | 'logical'> {
    const type = combinedType(left.type, right.type)
    if (type !== undefined) return { type, ...sharedLogical(left, right) }
    throw this.#error(
      node,
      'EXPRESSION_TYPE',
      `${what} must have one type, these are ${describeType(left)} and ${describeType(right)}`,
    )
  }

  #member(node: MemberExpression, depth: number): Expression {
    const path = this.#namespacePath(node)
    if (path !== undefined) {
      const value = CONSTANTS.get(path)
      if (value !== undefined)
        return { kind: 'literal', value, type: Number.isInteger(value) ? 'long' : 'double', nullable: false }
      if (FUNCTIONS.has(path) || DATE_CALLS.has(path)) throw this.#forbidden(node, `${path} can only be called`)
      throw this.#error(
        node,
        'UNKNOWN_FUNCTION',
        `there is no ${path}`,
        suggestion(path, [...FUNCTIONS.keys(), ...CONSTANTS.keys()].filter(isGlobalName)),
      )
    }
    const property = this.#property(node, depth)
    const row = node.object.type === 'Identifier' ? rowOf(this.#scope, node.object.name) : undefined
    if (row !== undefined && node.object.type === 'Identifier') return this.#fieldOfRow(node, row, property)
    const object = this.#receiver(node, depth)
    if (typeof property === 'string' && !isMemberKey(property))
      throw this.#forbidden(node.property, `the member ${property.slice(0, 20)}… has more than 128 characters`)
    if (object.logical?.kind === 'row') return this.#memberOfRow(node, object, object.logical.fields, property)
    if (object.logical?.kind === 'map')
      return { kind: 'member', object, property, ...object.logical.values, nullable: true }
    if (object.logical?.kind === 'array' && typeof property === 'number')
      return { kind: 'member', object, property, ...object.logical.items, nullable: true }
    if (object.type === 'json') return { kind: 'member', object, property, type: 'json', nullable: true }
    if (object.type === 'string' && property === 'length')
      return { kind: 'member', object, property, type: 'long', nullable: object.nullable }
    if (typeof property === 'number')
      throw this.#forbidden(
        node,
        `only a json value has [${property}], this is ${describeType(object)}`,
        object.type === 'string' ? `use .charAt(${property})` : undefined,
      )
    if (FUNCTIONS.has(`${receiverOf(object.type)}.${property}`))
      throw this.#forbidden(node, `.${property} can only be called: .${property}(…)`)
    throw this.#forbidden(
      node.property,
      `${describeType(object)} has no member ${property}`,
      object.type === 'string' ? suggestion(property, ['length', ...methodsOf('string')]) : undefined,
    )
  }

  #memberOfRow(
    node: MemberExpression,
    object: Expression,
    fields: readonly Field[],
    property: string | number,
  ): Expression {
    const field = fields.find((known) => known.name === property)
    if (field === undefined)
      throw this.#error(
        node.property,
        'UNKNOWN_FIELD',
        `the row has no field "${property}"`,
        suggestion(
          String(property),
          fields.map((known) => known.name),
        ),
      )
    const { name: _name, ...type } = field
    return { kind: 'member', object, property, ...type, nullable: object.nullable || field.nullable }
  }

  #fieldOfRow(
    node: MemberExpression,
    { schema, of }: { schema: Schema; of: string },
    property: string | number,
  ): Expression {
    const field = fieldOf(schema, String(property))
    if (field !== undefined) return fieldExpression({ field, of })
    throw this.#error(
      node.property,
      'UNKNOWN_FIELD',
      `${of} has no field "${property}"`,
      suggestion(
        String(property),
        schema.fields.map((known) => known.name),
      ),
    )
  }

  /** `Math.floor` when this is a member of one of the listed namespaces. */
  #namespacePath(node: MemberExpression): string | undefined {
    const { object, property } = node
    if (object.type !== 'Identifier' || !NAMESPACES.has(object.name)) return undefined
    if (node.computed || property.type !== 'Identifier')
      throw this.#forbidden(node, `members of ${object.name} are written with a dot`)
    return `${object.name}.${property.name}`
  }

  /** A name after a dot, or a literal in brackets: nothing is ever looked up by a computed name. */
  #property(node: MemberExpression, depth: number): string | number {
    const { property } = node
    if (property.type === 'PrivateIdentifier') throw this.#forbidden(node, 'private names cannot be used')
    if (!node.computed) {
      if (property.type === 'Identifier') return property.name
      throw this.#forbidden(node, 'this member cannot be used')
    }
    const key = this.check(property, depth + 1)
    if (key.kind === 'literal' && typeof key.value === 'string') return key.value
    if (key.kind === 'literal' && typeof key.value === 'number' && Number.isSafeInteger(key.value) && key.value >= 0)
      return key.value
    throw this.#forbidden(property, 'only a literal string or a whole number ≥ 0 can stand in […]')
  }

  #receiver(node: MemberExpression, depth: number): Expression {
    if (node.object.type === 'Super') throw this.#forbidden(node, 'super cannot stand in an expression')
    return this.typed(node.object, depth)
  }

  /** A row when every key could be the name of a field, else a json value of no type. */
  #object(node: ObjectExpression, depth: number): Expression {
    const members = node.properties.map((property) => {
      if (property.type === 'SpreadElement')
        throw this.#forbidden(property, 'an object cannot be spread', 'write its fields: { a: row.a }')
      return { key: this.#key(property), value: this.check(property.value, depth + 1) }
    })
    const keys = new Set<string>()
    members.forEach(({ key }, index) => {
      if (keys.has(key))
        throw this.#error(node.properties[index] ?? node, 'DUPLICATE_FIELD', `"${key}" stands twice in the object`)
      keys.add(key)
    })
    const isRow = members.length > 0 && members.every(({ key }) => isFieldName(key))
    const fields = members.map(({ key, value }) => namedField(key, value))
    return {
      kind: 'object',
      members,
      type: 'json',
      nullable: false,
      ...(isRow ? { logical: { kind: 'row', fields } } : {}),
    }
  }

  #key(property: Property): string {
    const { key } = property
    if (property.kind !== 'init' || property.method)
      throw this.#forbidden(property, 'an object has values, no functions')
    const name =
      key.type === 'Identifier' && !property.computed ? key.name : key.type === 'Literal' ? key.value : undefined
    if ((typeof name !== 'string' && typeof name !== 'number') || property.computed)
      throw this.#forbidden(property, 'a key is a name, or a text in quotes', "write { name: … } or { 'a name': … }")
    if (!isMemberKey(String(name))) throw this.#forbidden(property, 'a key has at most 128 characters')
    return String(name)
  }

  #call(node: CallExpression, depth: number): Expression {
    const { callee } = node
    if (callee.type === 'Identifier') return this.#callOf(node, callee.name, [], depth)
    if (callee.type !== 'MemberExpression')
      throw this.#forbidden(callee, 'only listed functions and methods can be called')
    const path = this.#namespacePath(callee)
    if (path !== undefined) return this.#callOf(node, path, [], depth)
    const property = this.#property(callee, depth)
    if (typeof property === 'string' && property !== 'toString' && isInherited(property))
      throw this.#forbidden(callee.property, `the member ${property} cannot be used`)
    if (isPattern(callee.object) && property === 'test') return this.#patternTest(node, callee.object, depth)
    const receiver = this.#receiver(callee, depth)
    if (receiver.type === 'string' && takesPattern(property, node.arguments[0]))
      return this.#patternCall(node, String(property), receiver, depth)
    if (receiver.type === 'json' && receiver.logical !== undefined)
      throw this.#error(
        node,
        'EXPRESSION_TYPE',
        `${describeType(receiver)} has no methods`,
        receiver.logical.kind === 'array'
          ? 'there are [0], .length, flatMap: { unnest: … }, and functions of a module'
          : 'write one of its fields',
      )
    if (receiver.type === 'json')
      throw this.#error(node, 'EXPRESSION_TYPE', 'a json value has no methods', 'convert it first: String(…).…')
    return this.#callOf(node, `${receiverOf(receiver.type)}.${property}`, [receiver], depth)
  }

  /** `/…/.test(text)` is `text.matches(/…/)`. */
  #patternTest(node: CallExpression, pattern: Literal, depth: number): Expression {
    const [argument, ...more] = node.arguments
    const text = argument === undefined || argument.type === 'SpreadElement' ? undefined : this.typed(argument, depth)
    if (text?.type !== 'string' || more.length > 0)
      throw this.#error(node, 'EXPRESSION_TYPE', 'test takes one text', 'write /…/.test(text)')
    return this.#patternExpression('string.matches', [text, ...this.#pattern(pattern).literals])
  }

  #patternCall(node: CallExpression, method: string, text: Expression, depth: number): Expression {
    const [first, ...others] = node.arguments
    const more = others.map((argument) => {
      if (argument.type === 'SpreadElement') throw this.#forbidden(argument, 'arguments cannot be spread')
      return this.typed(argument, depth)
    })
    const [argument] = more
    const wanted = PATTERN_METHODS[method]
    if (first?.type !== 'Literal' || wanted === undefined || more.length > 1 || !wanted.takes(argument))
      throw this.#error(
        node,
        'EXPRESSION_TYPE',
        `${method} takes a pattern that is written out`,
        `write ${wanted?.example ?? ''}`,
      )
    const { literals, syntax, flags } = this.#pattern(first)
    if (method === 'extract') return this.#extract(node, [text, ...literals], argument, syntax)
    if (method === 'matches') return this.#patternExpression('string.matches', [text, ...literals])
    const isAll = method === 'replaceAll' || flags.includes('g')
    return this.#patternExpression(isAll ? 'string.replaceMatches' : 'string.replaceMatch', [
      text,
      ...literals,
      ...more,
    ])
  }

  #extract(
    node: CallExpression,
    given: readonly Expression[],
    group: Expression | undefined,
    { groups, names }: PatternSyntax,
  ): Expression {
    const wanted = group?.kind === 'literal' ? group.value : 0
    const isThere =
      typeof wanted === 'string' ? names.includes(wanted) : Number(wanted) >= 0 && Number(wanted) <= groups
    if (!isThere)
      throw this.#error(
        node.arguments[1] ?? node,
        'EXPRESSION_TYPE',
        `the pattern has no group ${JSON.stringify(wanted)}, but ${groups}`,
        names.length > 0 ? suggestion(String(wanted), names) : 'a group stands in parentheses: /id=(.*)/',
      )
    const literal = group ?? { kind: 'literal', value: 0, type: 'long', nullable: false }
    return this.#patternExpression('string.extract', [...given, literal])
  }

  #patternExpression(name: string, given: readonly Expression[]): Expression {
    return { kind: 'call', function: name, arguments: given, ...patternCallType(name, given) }
  }

  /** A regular expression, or a text that is one. */
  #pattern(node: Literal): { literals: Expression[]; syntax: PatternSyntax; flags: string } {
    const source = node.regex?.pattern ?? String(node.value)
    const flags = node.regex?.flags ?? ''
    const syntax = readPattern(source, flags)
    if ('problem' in syntax)
      throw this.#error(node, 'PATTERN_INVALID', `the pattern cannot be taken: ${syntax.problem}`, syntax.hint)
    const literals = [source, flags].map(
      (value): Expression => ({ kind: 'literal', value, type: 'string', nullable: false }),
    )
    return { literals, syntax, flags }
  }

  #callOf(node: CallExpression, name: string, receiver: readonly Expression[], depth: number): Expression {
    if (name === 'Decimal') return this.#toDecimal(node, depth)
    if (name === 'BigInt') return this.#toBigint(node, depth)
    if (DATE_CALLS.has(name) || (name === 'Date.parse' && node.arguments.length > 1))
      return this.#dateCall(node, name === 'Date.parse' ? 'Date.parseAs' : name, depth)
    const listed = FUNCTIONS.get(name)
    if (listed === undefined || (receiver.length === 0 && listed.emission.emit === 'method'))
      throw this.#unknownFunction(node, name, receiver)
    const given = [...receiver]
    for (const argument of node.arguments) {
      if (argument.type === 'SpreadElement') throw this.#forbidden(argument, 'arguments cannot be spread')
      given.push(this.typed(argument, depth))
    }
    const row = given.find(({ logical }) => logical?.kind === 'row' || logical?.kind === 'map')
    if (row !== undefined && name !== 'JSON.stringify' && name !== 'Boolean')
      throw this.#error(
        node,
        'EXPRESSION_TYPE',
        `${name} does not take ${describeType(row)}`,
        'write one of its fields, or JSON.stringify(…)',
      )
    const type = decimalCallType(name, given) ?? callType(listed, given)
    if (type === undefined) {
      const shown = given.slice(receiver.length).map(describeType).join(', ')
      throw this.#error(node, 'EXPRESSION_TYPE', `${name} takes ${signatureText(name, listed)}, not (${shown})`)
    }
    return { kind: 'call', function: name, arguments: given, ...type }
  }

  #dateCall(node: CallExpression, name: string, depth: number): Expression {
    const given = node.arguments.map((argument) => {
      if (argument.type === 'SpreadElement') throw this.#forbidden(argument, 'arguments cannot be spread')
      return this.typed(argument, depth)
    })
    const type = dateCallType(name, given)
    if (!('problem' in type)) return { kind: 'call', function: name, arguments: given, ...type }
    const at = type.argument === undefined ? node : (node.arguments[type.argument] ?? node)
    throw this.#error(at, 'EXPRESSION_TYPE', type.problem, type.hint)
  }

  /** `Decimal(x, precision, scale)`: the numbers are part of the type. */
  #toDecimal(node: CallExpression, depth: number): Expression {
    const [value, ...digits] = node.arguments.map((argument) => {
      if (argument.type === 'SpreadElement') throw this.#forbidden(argument, 'arguments cannot be spread')
      return this.typed(argument, depth)
    })
    const [precision, scale = 0] = digits.map((digit) => (digit.kind === 'literal' ? Number(digit.value) : NaN))
    const type = precision === undefined ? undefined : parseValueType(`decimal(${precision},${scale})`)
    if (value === undefined || type === undefined || digits.length > 2)
      throw this.#error(
        node,
        'EXPRESSION_TYPE',
        'Decimal takes a value, and written out how many digits it has in all and behind the point',
        'write Decimal(price, 10, 2); up to 38 digits are taken',
      )
    if (!isDecimalSource(value))
      throw this.#error(node, 'EXPRESSION_TYPE', `Decimal does not take ${describeType(value)}`)
    return { kind: 'call', function: 'Decimal', arguments: [value], ...type, nullable: value.nullable }
  }

  #toBigint(node: CallExpression, depth: number): Expression {
    const [argument, ...more] = node.arguments
    if (argument === undefined || argument.type === 'SpreadElement' || more.length > 0)
      throw this.#error(node, 'EXPRESSION_TYPE', 'BigInt takes one value', 'write BigInt(id)')
    const value = this.typed(argument, depth)
    if (!isDecimalSource(value))
      throw this.#error(node, 'EXPRESSION_TYPE', `BigInt does not take ${describeType(value)}`)
    return {
      kind: 'call',
      function: 'BigInt',
      arguments: [value],
      type: 'string',
      logical: { kind: 'bigint' },
      nullable: value.nullable,
    }
  }

  #unknownFunction(node: CallExpression, name: string, receiver: readonly Expression[]): Error {
    const [object] = receiver
    if (name === 'Math.random' || name === 'Date.now')
      return this.#forbidden(node, `${name} gives another answer each time, so a restored job would differ`)
    if (object === undefined)
      return this.#error(
        node,
        'UNKNOWN_FUNCTION',
        `there is no function ${name}`,
        sayingOf(name) ??
          suggestion(name, [...CONVERSIONS, ...DATE_CALLS.keys(), ...[...FUNCTIONS.keys()].filter(isGlobalName)]),
      )
    const kind = receiverOf(object.type)
    const method = name.slice(kind.length + 1)
    return this.#error(
      node,
      'UNKNOWN_FUNCTION',
      `${describeType(object)} has no method ${method}`,
      suggestion(method, [...methodsOf(kind), ...(kind === 'string' ? ['matches', 'extract'] : [])]),
    )
  }

  #error(node: { start: number }, code: string, message: string, hint?: string): Error {
    return expressionError(this.#text, node.start, code, message, hint)
  }

  #forbidden(node: { start: number }, message: string, hint?: string): Error {
    return this.#error(node, 'EXPRESSION_FORBIDDEN', message, hint)
  }
}

function fieldExpression({ field, of }: ScopedField): Expression {
  return { kind: 'field', ...namedField(field.name, field), ...(of === undefined ? {} : { of }) }
}

function isPattern(node: { type: string }): node is Literal {
  return node.type === 'Literal' && 'regex' in node && node.regex !== undefined
}

/** `replace` and `replaceAll` of a text are not about patterns. */
function takesPattern(property: string | number, argument: { type: string } | undefined): boolean {
  if (property === 'matches' || property === 'extract') return true
  return (property === 'replace' || property === 'replaceAll') && argument !== undefined && isPattern(argument)
}

/** What stands behind the pattern. */
const PATTERN_METHODS: Readonly<
  Record<string, { takes: (argument: Expression | undefined) => boolean; example: string }>
> = {
  matches: { takes: (argument) => argument === undefined, example: '.matches(/^a+$/)' },
  extract: {
    takes: (argument) =>
      argument === undefined || (argument.kind === 'literal' && ['long', 'string'].includes(argument.type)),
    example: '.extract(/id=(\\d+)/, 1), with the number or name of a group',
  },
  replace: { takes: (argument) => argument?.type === 'string', example: ".replace(/a+/, 'b')" },
  replaceAll: { takes: (argument) => argument?.type === 'string', example: ".replaceAll(/a+/, 'b')" },
}

const WHAT_IT_IS: Readonly<Record<string, string>> = {
  AssignmentExpression: 'an assignment',
  UpdateExpression: '++ or --',
  NewExpression: 'new',
  ThisExpression: 'this',
  FunctionExpression: 'a function',
  ArrowFunctionExpression: 'a function',
  ClassExpression: 'a class',
  ArrayExpression: 'an array literal',
  SequenceExpression: 'a comma list',
  TaggedTemplateExpression: 'a tagged template',
  AwaitExpression: 'await',
  YieldExpression: 'yield',
  ImportExpression: 'import',
  MetaProperty: 'a meta property',
}

function isBinaryOperator(operator: string): operator is BinaryOperator {
  return (BINARY_OPERATORS as readonly string[]).includes(operator)
}

/** True for a `null` that has not yet been given a type by what stands beside it. */
function isBareNull(expression: Expression): boolean {
  return expression.kind === 'literal' && expression.value === null && expression.type === 'json'
}

/** A bare null takes the type of what stands beside it. */
function withNullTyped(left: Expression, right: Expression): [Expression, Expression] {
  if (isBareNull(left) && !isBareNull(right))
    return [{ ...left, type: right.type, ...sharedLogical(right, right) }, right]
  if (isBareNull(right) && !isBareNull(left)) return [left, { ...right, type: left.type, ...sharedLogical(left, left) }]
  return [left, right]
}

/**
 * A number or text that is written beside a decimal or bigint is one too: to be compared of the same type where it fits,
 * `price === '9.5'`, and of the digits it is written with to be computed with, `price * 1.21`. Anything else as it is; so
 * is a number of more digits than a double keeps.
 */
function besideDecimal(other: Expression, operand: Expression, operator: BinaryOperator): Expression {
  const { logical } = other
  if (logical === undefined || !isExact(other)) return operand
  if (operand.kind === 'unary' && operand.operator === '-') {
    const inner = besideDecimal(other, operand.operand, operator)
    return isExact(inner) ? { ...operand, operand: inner, ...exactType(inner) } : operand
  }
  const digits = literalDigits(operand)
  const same = isArithmetic(operator) && logical.kind === 'decimal' ? undefined : exactText(digits, logical)
  if (same !== undefined) return { ...operand, value: same, type: 'string', logical } as Expression
  const scale = digits?.split('.')[1]?.length ?? 0
  const value = digits === undefined ? undefined : decimalText(digits, MAX_PRECISION, scale)
  if (value === undefined || operand.kind !== 'literal') return operand
  const precision = Math.max(1, scale, value.replace(/^-?0?|\./g, '').length)
  return { ...operand, value, type: 'string', logical: { kind: 'decimal', precision, scale } }
}

/** Alternatives have one type: a number beside a decimal has the digits of that, `price ?? 0`. */
function withDigitsOf({ logical }: Expression, literal: Expression): Expression {
  if (literal.kind !== 'literal' || typeof literal.value !== 'number') return literal
  const value = exactText(literalDigits(literal), logical)
  return value === undefined ? literal : { ...literal, value, ...exactType({ logical }) }
}

function exactType({ logical }: { logical?: LogicalType | undefined }): Pick<ExpressionType, 'type' | 'logical'> {
  return { type: 'string', ...(logical === undefined ? {} : { logical }) }
}

/** The text in rows of a number of that type; undefined when it does not fit, or the type is not exact. */
function exactText(digits: string | undefined, logical: LogicalType | undefined): string | undefined {
  if (digits === undefined) return undefined
  if (logical?.kind === 'bigint') return bigintText(digits)
  return logical?.kind === 'decimal' ? decimalText(digits, logical.precision, logical.scale) : undefined
}

/** The digits a literal is written with, without exponent; undefined when it is no number or a double has lost some. */
function literalDigits(literal: Expression): string | undefined {
  if (literal.kind !== 'literal') return undefined
  const { value } = literal
  if (typeof value === 'string') return /^[+-]?\d+(?:\.\d+)?$/.test(value) ? value : undefined
  if (typeof value !== 'number') return undefined
  const digits = String(value)
  const isExact = literal.type === 'long' || digits.replace(/^-?0\.0*|\D/g, '').length <= DIGITS_OF_DOUBLE
  return isExact && !digits.includes('e') ? digits : undefined
}

/** A double keeps any so many digits (IEEE 754, 5.12.2). */
const DIGITS_OF_DOUBLE = 15

/** What both say of their values beyond their type. */
function sharedLogical(left: ExpressionType, right: ExpressionType): Pick<ExpressionType, 'logical'> {
  if (
    left.logical === undefined ||
    describeType({ ...left, nullable: false }) !== describeType({ ...right, nullable: false })
  )
    return {}
  return { logical: left.logical }
}

function receiverOf(type: FieldType): string {
  return type === 'long' || type === 'double' ? 'number' : type
}

function methodsOf(receiver: string): string[] {
  return [...FUNCTIONS.keys()]
    .filter((name) => name.startsWith(`${receiver}.`))
    .map((name) => name.slice(receiver.length + 1))
}

function exampleOf(name: string): string {
  return FUNCTIONS.has(name)
    ? `${name}(…)`
    : `${[...FUNCTIONS.keys()].find((key) => key.startsWith(`${name}.`)) ?? name}(…)`
}
