import { isFields } from '../../../model/fields.ts'
import { describe, type Problems } from '../../problems.ts'
import { parseSyntax } from '../../../expressions/parse.ts'

/** Undefined after reporting, and where the job has too many. YAML reads `filter: true` and `map: { one: 1 }` as a boolean and a number; they mean the expressions. */
export function readExpressionText(value: unknown, path: string, problems: Problems): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return problems.admitsExpression(value, path) ? value : undefined
  problems.report(
    'TYPE_MISMATCH',
    path,
    `must be an expression, not ${describe(value)}`,
    isFields(value) ? 'quote it when it begins with {' : undefined,
  )
  return undefined
}

/** What can be said of an expression whose fields are not known. */
export function checkSyntax(value: unknown, path: string, problems: Problems): void {
  const text = readExpressionText(value, path, problems)
  if (text !== undefined) problems.attempt(path, () => parseSyntax(text))
}
