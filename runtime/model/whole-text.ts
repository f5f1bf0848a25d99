import { clipped } from './clipped.ts'
import { MillraceError } from './errors.ts'

/**
 * The text, which UTF-8 is about to be made of. Throws VALUE_INVALID for one with half of a character (a lone surrogate, as
 * `"\ud800"` of JSON): U+FFFD would be written in its place, so that different texts became one.
 */
export function wholeText(text: string): string {
  if (text.isWellFormed()) return text
  throw new MillraceError(
    'VALUE_INVALID',
    `${JSON.stringify(clipped(text))} has half of a character, which UTF-8 cannot say`,
    {
      domain: 'user',
      hint: 'its producer cut a text within a character; JSON can write it, other formats cannot',
    },
  )
}
