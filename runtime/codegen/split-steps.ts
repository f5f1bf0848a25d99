import type { Expression } from '../expressions/ast.ts'
import type { ChainStep } from './chain.ts'

type MapStep = ChainStep & { kind: 'map' }

/**
 * An expression in place of the parts of a split: `replace` tells for each member of a json value what to take
 * instead.
 */
type Rewrite = (expression: Expression) => Expression | 'same' | 'impossible'

/**
 * The same steps, where a field that is the split of a text and of which only parts are read before a later map
 * drops it is never made: the parts are cut out of the text (split-part.ts) where they are read. That takes half
 * the time.
 */
export function withPartsInPlace(steps: readonly ChainStep[]): readonly ChainStep[] {
  let result = steps
  steps.forEach((step, index) => {
    if (step.kind !== 'map') return
    for (const { field, value } of step.fields)
      if (isSplit(value)) result = withoutSplit(result, index, field.name, value) ?? result
  })
  return result
}

/** A split by a literal that is not empty, without a limit: `[n]` of it is a part of the text. */
export function isSplit(expression: Expression): expression is Expression & {
  kind: 'call'
  arguments: readonly [text: Expression, separator: Expression & { kind: 'literal'; value: string }]
} {
  if (expression.kind !== 'call' || expression.function !== 'string.split' || expression.arguments.length !== 2)
    return false
  const [, separator] = expression.arguments
  return separator?.kind === 'literal' && typeof separator.value === 'string' && separator.value !== ''
}

export function isIndex(property: string | number): property is number {
  return Number.isInteger(property) && Number(property) >= 0
}

/** Undefined where the field itself is read, or the text does not come along with it. */
function withoutSplit(
  steps: readonly ChainStep[],
  at: number,
  name: string,
  split: Expression & { kind: 'call' },
): ChainStep[] | undefined {
  const from = steps[at] as MapStep
  const [text, separator] = split.arguments
  const kept =
    text?.kind !== 'field' || text.of !== undefined
      ? undefined
      : from.fields.find(
          ({ field, value }) => value.kind === 'field' && value.name === text.name && field.type === text.type,
        )
  const behind = steps.slice(at + 1)
  const last = behind.findIndex(({ kind }) => kind !== 'filter')
  const drops = behind[last]
  if (text === undefined || separator === undefined || kept === undefined || drops?.kind !== 'map') return undefined
  const late: Expression = {
    ...split,
    arguments: [{ kind: 'field', name: kept.field.name, type: text.type, nullable: text.nullable }, separator],
  }
  const rewrite: Rewrite = (expression) => {
    if (expression.kind === 'field' && expression.name === name) return 'impossible'
    const isPart =
      expression.kind === 'member' &&
      expression.object.kind === 'field' &&
      expression.object.name === name &&
      isIndex(expression.property)
    return isPart ? { ...expression, object: late } : 'same'
  }
  const rewritten = behind.slice(0, last + 1).map((step) => rewrittenStep(step, rewrite))
  if (!rewritten.every((step) => step !== undefined)) return undefined
  const emptied: MapStep = {
    ...from,
    fields: from.fields.map((one) =>
      one.field.name === name ? { ...one, value: { kind: 'literal', value: '', type: 'json', nullable: false } } : one,
    ),
  }
  return [...steps.slice(0, at), emptied, ...rewritten, ...behind.slice(last + 1)]
}

function rewrittenStep(step: ChainStep, rewrite: Rewrite): ChainStep | undefined {
  if (step.kind === 'filter') {
    const condition = rewritten(step.condition, rewrite)
    return condition && { ...step, condition }
  }
  if (step.kind !== 'map') return undefined
  const fields = step.fields.map(({ field, value }) => ({ field, value: rewritten(value, rewrite) }))
  return fields.every((one): one is MapStep['fields'][number] => one.value !== undefined)
    ? { ...step, fields }
    : undefined
}

function rewritten(expression: Expression, rewrite: Rewrite): Expression | undefined {
  const own = rewrite(expression)
  if (own === 'impossible') return undefined
  if (own !== 'same') return own
  let isPossible = true
  const inner = (part: Expression): Expression => {
    const result = rewritten(part, rewrite)
    if (result === undefined) isPossible = false
    return result ?? part
  }
  const whole = withParts(expression, inner)
  return isPossible ? whole : undefined
}

function withParts(expression: Expression, inner: (part: Expression) => Expression): Expression {
  switch (expression.kind) {
    case 'literal':
    case 'field':
      return expression
    case 'unary':
      return { ...expression, operand: inner(expression.operand) }
    case 'binary':
      return { ...expression, left: inner(expression.left), right: inner(expression.right) }
    case 'logical':
      return { ...expression, left: inner(expression.left), right: inner(expression.right) }
    case 'conditional':
      return {
        ...expression,
        test: inner(expression.test),
        then: inner(expression.then),
        otherwise: inner(expression.otherwise),
      }
    case 'call':
      return { ...expression, arguments: expression.arguments.map(inner) }
    case 'member':
      return { ...expression, object: inner(expression.object) }
    case 'object':
      return {
        ...expression,
        members: expression.members.map(({ key, value }) => ({ key, value: inner(value) })),
      }
    case 'template':
      return { ...expression, parts: expression.parts.map(inner) }
  }
}
