import type { Expression } from './ast.ts'

/** Every place where the expression reads a field. */
export function fieldsIn(expression: Expression): (Expression & { kind: 'field' })[] {
  switch (expression.kind) {
    case 'literal':
      return []
    case 'field':
      return [expression]
    case 'unary':
      return fieldsIn(expression.operand)
    case 'binary':
    case 'logical':
      return [expression.left, expression.right].flatMap(fieldsIn)
    case 'conditional':
      return [expression.test, expression.then, expression.otherwise].flatMap(fieldsIn)
    case 'call':
      return expression.arguments.flatMap(fieldsIn)
    case 'member':
      return fieldsIn(expression.object)
    case 'object':
      return expression.members.flatMap(({ value }) => fieldsIn(value))
    case 'template':
      return expression.parts.flatMap(fieldsIn)
  }
}
