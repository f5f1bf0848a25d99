import { js, type Code } from '../emitter.ts'

/**
 * Code that is true when one of the four bytes of the int32 `word` does not stand for itself in a JSON text: a quote, a
 * backslash, a control character, or not ASCII. The high bit of a byte of `(w ^ c) - 0x01…` is set where w has the
 * byte c, and of `w - 0x20…` where it has a smaller one; a borrow sets others only above such a byte ("Bit
 * Twiddling Hacks", S. E. Anderson, "Determine if a word has a byte less than n").
 */
export function notPlain(word: Code): Code {
  const quote = js`(${word} ^ 0x22222222) - 0x01010101`
  const backslash = js`(${word} ^ 0x5c5c5c5c) - 0x01010101`
  return js`((${word} | ${quote} | ${backslash} | ${word} - 0x20202020) & 0x80808080) !== 0`
}
