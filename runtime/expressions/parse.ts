import { parseExpressionAt, type Expression as Syntax } from 'acorn'
import type { Expression } from './ast.ts'
import { checkExpression } from './check.ts'
import { expressionError } from './expression-error.ts'
import { sqlHint } from './sayings.ts'
import type { Scope } from './scope.ts'

/** Longest expression, in UTF-16 units. */
const MAX_EXPRESSION_LENGTH = 4096

/**
 * Text of a JavaScript expression over the fields of the scope → checked, typed tree. Pure.
 * Types and nulls: see check.ts. Throws MillraceError (domain user) with the position inside the text and one of
 * EXPRESSION_SYNTAX, EXPRESSION_TOO_LARGE, EXPRESSION_FORBIDDEN, EXPRESSION_TYPE, UNKNOWN_FIELD, FIELD_AMBIGUOUS,
 * UNKNOWN_FUNCTION.
 */
export function parseExpression(text: string, scope: Scope): Expression {
  return checkExpression(parseSyntax(text), text, scope)
}

/** As parseExpression, for a filter: the result must be a boolean. Null counts as false. */
export function parseCondition(text: string, scope: Scope): Expression {
  const expression = parseExpression(text, scope)
  if (expression.type === 'boolean') return expression
  throw expressionError(
    text,
    text.length - text.trimStart().length,
    'EXPRESSION_TYPE',
    `a condition must be boolean, this is ${expression.type}`,
    'compare it with something, e.g. `… > 0` or `… !== null`',
  )
}

/** The syntax tree of the whole text, which must be one expression of JavaScript. */
export function parseSyntax(text: string): Syntax {
  if (text.length > MAX_EXPRESSION_LENGTH) {
    throw expressionError(
      text,
      0,
      'EXPRESSION_TOO_LARGE',
      `the expression has ${text.length} characters, at most ${MAX_EXPRESSION_LENGTH} are taken`,
    )
  }
  if (text.trim() === '') throw expressionError(text, 0, 'EXPRESSION_SYNTAX', 'the expression is empty')
  const syntax = syntaxOf(text)
  const rest = text.slice(syntax.end)
  const skipped = rest.length - rest.trimStart().length
  if (skipped < rest.length) {
    throw expressionError(
      text,
      syntax.end + skipped,
      'EXPRESSION_SYNTAX',
      `the expression ends before ${quote(rest.trimStart())}`,
      sqlHint(rest.trimStart()),
    )
  }
  return syntax
}

function syntaxOf(text: string): Syntax {
  try {
    return parseExpressionAt(text, 0, { ecmaVersion: 2024, sourceType: 'script', preserveParens: true })
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      const { pos: offset } = cause as SyntaxError & { pos?: number }
      // acorn's answer to brackets nested thousands deep
      const code = cause.message.startsWith('Not enough stack') ? 'EXPRESSION_TOO_LARGE' : 'EXPRESSION_SYNTAX'
      throw expressionError(
        text,
        offset ?? 0,
        code,
        cause.message.replace(/ \(\d+:\d+\)$/, ''),
        isCutOff(text) ? 'within { } and [ ] of YAML a comma ends a text: put quotes around the expression' : undefined,
      )
    }
    // the same in its tokenizer, or in a part of it that does not look
    if (cause instanceof RangeError)
      throw expressionError(text, 0, 'EXPRESSION_TOO_LARGE', 'the expression is nested too deeply')
    throw cause
  }
}

/** Whether brackets are left open, as by a comma that YAML took for its own. */
function isCutOff(text: string): boolean {
  const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0
  return count(/[([]/g) > count(/[)\]]/g)
}

function quote(text: string): string {
  return JSON.stringify(text.length > 20 ? `${text.slice(0, 20)}…` : text)
}
