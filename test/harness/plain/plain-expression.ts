import type { Expression } from '../../../runtime/expressions/ast.ts'
import type { Row } from '../../../runtime/model/schema.ts'

/** Expressions interpreted by walking the tree: the slow twin of codegen/expression.ts. Calls are left out. */
export function evaluate(expression: Expression, row: Row): unknown {
  switch (expression.kind) {
    case 'literal': return expression.value
    case 'field': return row[expression.name]
    case 'unary': return strict([evaluate(expression.operand, row)], ([value]) => expression.operator === '-' ? -Number(value) : expression.operator === '+' ? Number(value) : value !== true)
    case 'conditional': return evaluate(expression.test, row) === true ? evaluate(expression.then, row) : evaluate(expression.otherwise, row)
    case 'template': return strict(expression.parts.map((part) => evaluate(part, row)), (parts) => parts.map(String).join(''))
    case 'member': return strict([evaluate(expression.object, row)], ([value]) => String(value).length)
    case 'call': throw new Error(`the plain twin knows no calls: ${expression.function}`)
    case 'logical': {
      const left = evaluate(expression.left, row)
      if (expression.operator === '??') return left ?? evaluate(expression.right, row)
      return (expression.operator === '&&') === (left === true) ? evaluate(expression.right, row) : left
    }
    case 'binary': {
      const [left, right] = [evaluate(expression.left, row), evaluate(expression.right, row)]
      return binary(expression.operator, left as number, right as number)
    }
  }
}

function strict(values: unknown[], compute: (values: unknown[]) => unknown): unknown {
  return values.includes(null) ? null : compute(values)
}

function binary(operator: (Expression & { kind: 'binary' })['operator'], left: number, right: number): unknown {
  if (operator === '===') return left === right
  if (operator === '!==') return left !== right
  const isOrder = operator.startsWith('<') && operator !== '<<' || operator === '>' || operator === '>='
  if (left === null || right === null) return isOrder ? false : null
  switch (operator) {
    case '+': return left + right
    case '-': return left - right
    case '*': return left * right
    case '/': return left / right
    case '%': return left % right
    case '**': return left ** right
    case '<': return left < right
    case '<=': return left <= right
    case '>': return left > right
    case '>=': return left >= right
    case '&': return left & right
    case '|': return left | right
    case '^': return left ^ right
    case '<<': return left << right
    case '>>': return left >> right
    case '>>>': return left >>> right
  }
}
