import type { Expression } from '../../../runtime/expressions/ast.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'
import type { Row } from '../../../runtime/model/schema.ts'

/**
 * Expressions interpreted by walking the tree: the slow twin of codegen/expression.ts. Calls are left out.
 * Throws VALUE_INVALID where a number that was computed on the way is taken further and is none that a field could
 * hold.
 */
export function evaluate(expression: Expression, row: Row): unknown {
  switch (expression.kind) {
    case 'literal':
      return expression.value
    case 'field':
      return row[expression.name]
    case 'unary': {
      const value = evaluate(expression.operand, row)
      return value === null
        ? null
        : expression.operator === '-'
          ? -Number(value)
          : expression.operator === '+'
            ? Number(value)
            : value !== true
    }
    case 'conditional':
      return evaluate(expression.test, row) === true
        ? evaluate(expression.then, row)
        : evaluate(expression.otherwise, row)
    case 'template':
      return strict(expression.parts, row, true)?.map(String).join('') ?? null
    case 'member':
      return strict([expression.object], row, true)?.map((value) => String(value).length)[0] ?? null
    case 'call':
      throw new Error(`the plain twin knows no calls: ${expression.function}`)
    case 'logical': {
      const left = evaluate(expression.left, row)
      if (expression.operator === '??') return left ?? evaluate(expression.right, row)
      return (expression.operator === '&&') === (left === true) ? evaluate(expression.right, row) : left
    }
    case 'binary': {
      const { operator } = expression
      const sides = [expression.left, expression.right]
      if (operator === '===' || operator === '!==') {
        const [left, right] = sides.map((side) => checked(side, row))
        return (left === right) === (operator === '===')
      }
      const values = strict(sides, row, !['+', '-', '*'].includes(operator))
      return values === undefined
        ? ['<', '<=', '>', '>='].includes(operator)
          ? false
          : null
        : binary(operator, values[0] as number, values[1] as number)
    }
  }
}

/** The values of the operands; undefined as soon as one is null, before those that cannot be null are looked at. */
function strict(operands: readonly Expression[], row: Row, isLookedAt: boolean): unknown[] | undefined {
  const values = new Map<Expression, unknown>()
  for (const operand of [
    ...operands.filter(({ nullable }) => nullable),
    ...operands.filter(({ nullable }) => !nullable),
  ]) {
    const value = isLookedAt || operand.type !== 'double' ? checked(operand, row) : evaluate(operand, row)
    if (value === null) return undefined
    values.set(operand, value)
  }
  return operands.map((operand) => values.get(operand))
}

function checked(operand: Expression, row: Row): unknown {
  const value = evaluate(operand, row)
  if (typeof value !== 'number' || (operand.type === 'double' ? Number.isFinite(value) : Number.isSafeInteger(value)))
    return value
  throw new MillraceError('VALUE_INVALID', `${String(value)} on the way`, { domain: 'user' })
}

function binary(
  operator: Exclude<(Expression & { kind: 'binary' })['operator'], '===' | '!=='>,
  left: number,
  right: number,
): unknown {
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return left / right
    case '%':
      return left % right
    case '**':
      return left ** right
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
    case '&':
      return left & right
    case '|':
      return left | right
    case '^':
      return left ^ right
    case '<<':
      return left << right
    case '>>':
      return left >> right
    case '>>>':
      return left >>> right
  }
}
