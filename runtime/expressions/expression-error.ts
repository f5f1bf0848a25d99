import { MillraceError } from '../model/errors.ts'

/** A mistake in the text of an expression; `offset` counts UTF-16 units from its start. */
export function expressionError(
  text: string,
  offset: number,
  code: string,
  message: string,
  hint?: string,
): MillraceError {
  const before = text.slice(0, offset)
  const line = before.split('\n').length
  const column = offset - (before.lastIndexOf('\n') + 1) + 1
  return new MillraceError(code, message, {
    domain: 'user',
    position: { line, column },
    ...(hint === undefined ? {} : { hint }),
  })
}
