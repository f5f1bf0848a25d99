import { isFieldName } from '../model/schema.ts'
import type { Expression } from './ast.ts'
import { PATTERN_CALLS } from './pattern-calls.ts'

/** An expression as it could be written: for errors that name it. Rows that have a name stand before their fields. */
export function expressionText(expression: Expression): string {
  switch (expression.kind) {
    case 'literal':
      return typeof expression.value === 'string' ? quoted(expression.value) : String(expression.value)
    case 'field':
      return expression.of === undefined ? expression.name : `${expression.of}.${expression.name}`
    case 'unary':
      return `${expression.operator}${operandText(expression.operand)}`
    case 'binary':
    case 'logical':
      return `${operandText(expression.left)} ${expression.operator} ${operandText(expression.right)}`
    case 'conditional':
      return `${operandText(expression.test)} ? ${operandText(expression.then)} : ${operandText(expression.otherwise)}`
    case 'template':
      return `\`${expression.parts.map((part) => (part.kind === 'literal' && typeof part.value === 'string' ? part.value : `\${${expressionText(part)}}`)).join('')}\``
    case 'object':
      return `{ ${expression.members.map(({ key, value }) => `${isFieldName(key) ? key : quoted(key)}: ${expressionText(value)}`).join(', ')} }`
    case 'member':
      return `${operandText(expression.object)}${memberText(expression.property)}`
    case 'call':
      return callText(expression.function, expression.arguments)
  }
}

function callText(name: string, given: readonly Expression[]): string {
  if (PATTERN_CALLS.has(name)) return patternCallText(name, given)
  if (name === 'Date.parseAs') return callText('Date.parse', given)
  const [receiver, ...rest] = given
  const method = /^(?:string|number|boolean|json)\.(.*)$/.exec(name)?.[1]
  if (method === undefined || receiver === undefined) return `${name}(${given.map(expressionText).join(', ')})`
  return `${operandText(receiver)}.${method}(${rest.map(expressionText).join(', ')})`
}

/** As JavaScript says it, the pattern between slashes. */
function patternCallText(name: string, [text, source, flags, ...rest]: readonly Expression[]): string {
  const written = [source, flags].map((part) => (part?.kind === 'literal' ? String(part.value) : ''))
  const method =
    name === 'string.replaceMatch'
      ? 'replace'
      : name === 'string.replaceMatches'
        ? 'replaceAll'
        : name.slice('string.'.length)
  return `${text === undefined ? '' : operandText(text)}.${method}(/${written[0]}/${written[1]}${rest.map((part) => `, ${expressionText(part)}`).join('')})`
}

function memberText(property: string | number): string {
  if (typeof property === 'number') return `[${property}]`
  return /^[A-Za-z_$][\w$]*$/.test(property) ? `.${property}` : `[${quoted(property)}]`
}

function operandText(expression: Expression): string {
  const text = expressionText(expression)
  return ['binary', 'logical', 'conditional', 'unary'].includes(expression.kind) ? `(${text})` : text
}

function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}
