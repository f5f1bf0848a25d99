/**
 * Regular expressions of expressions: the syntax and meaning of JavaScript with the flag `u`, as far as an engine can
 * match it in time linear in the text. Look-around and back references are refused.
 */
export interface PatternSyntax {
  /** The same for an engine of RE2's syntax. */
  readonly re2: string
  /** How many groups it captures, and their names. */
  readonly groups: number
  readonly names: readonly string[]
}

export interface PatternProblem {
  readonly problem: string
  readonly hint?: string
}

/** RE2 unfolds repetitions; so many are the most it takes, inner ones counted in outer ones. */
const MOST_REPETITIONS = 1000

const SPACE =
  '\\t\\n\\v\\f\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}'
const NO_SPACE =
  '\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}' +
  '\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}'
const LINE_END = '\\n\\r\\x{2028}\\x{2029}'

/** Reads `/source/flags`. The flags are `g`, which says nothing here, `i`, `m`, `s` and `u`. */
export function readPattern(source: string, flags: string): PatternSyntax | PatternProblem {
  const unknown = /[^gimsu]/.exec(flags)?.[0]
  if (unknown !== undefined) return { problem: `there is no flag ${unknown}`, hint: 'flags are i, m, s and g' }
  try {
    // its constructor reads and does not match; the linter's rule is about patterns from texts that are matched
    void new RegExp(source, 'u')
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { problem: message.slice(message.lastIndexOf(': ') + 2) }
  }
  return new Reader(source, flags).read()
}

/** What cannot be matched in linear time, or is not taken. */
class Refused extends Error {
  readonly refused: PatternProblem

  constructor(problem: string, hint?: string) {
    super(problem)
    this.refused = { problem, ...(hint === undefined ? {} : { hint }) }
  }
}

/** Translates a pattern that JavaScript accepts with the flag `u`, so that every escape is one of a few. */
class Reader {
  readonly #source: string
  readonly #flags: string
  readonly #names: string[] = []
  #at = 0
  #groups = 0

  constructor(source: string, flags: string) {
    this.#source = source
    this.#flags = flags
  }

  read(): PatternSyntax | PatternProblem {
    try {
      const { text } = this.#sequence()
      return { re2: text, groups: this.#groups, names: this.#names }
    } catch (error) {
      if (error instanceof Refused) return error.refused
      throw error
    }
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  /** Up to the end, or the bracket that ends the group; with the most repetitions of a part of it. */
  #sequence(): { text: string; repeats: number } {
    let text = ''
    let most = 1
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      const { text: atom, repeats } = this.#atom()
      const quantifier = this.#take(/[*+?]\??|\{\d+(?:,\d*)?\}\??/y) ?? ''
      const counts = quantifier.startsWith('{') ? quantifier.match(/\d+/g)?.map(Number) : undefined
      const product = repeats * Math.max(1, ...(counts ?? []))
      if (product > MOST_REPETITIONS)
        throw new Refused(`it repeats a part ${product} times, at most ${MOST_REPETITIONS} are taken`)
      most = Math.max(most, product)
      text += atom + quantifier
    }
    return { text, repeats: most }
  }

  #atom(): { text: string; repeats: number } {
    const character = this.#source[this.#at] ?? ''
    if (character === '(') return this.#group()
    if (character === '[') return { text: this.#class(), repeats: 1 }
    if (character === '\\') return { text: this.#escape('outside'), repeats: 1 }
    this.#at++
    if (character === '.') return { text: this.#flags.includes('s') ? '(?s:.)' : `[^${LINE_END}]`, repeats: 1 }
    return { text: character, repeats: 1 }
  }

  #group(): { text: string; repeats: number } {
    const opened = this.#take(/\((?:\?(?:<[=!]|[=!]|<[^>]*>|[a-z-]*:))?/y) ?? ''
    if (/^\(\?<?[=!]/.test(opened))
      throw new Refused(
        'it looks ahead or behind, which takes more than linear time',
        'match what surrounds it as well and take a group: .extract(…, 1)',
      )
    const name = /^\(\?<(.*)>$/.exec(opened)?.[1]
    if (/^\(\?[a-z-]+:/.test(opened)) throw new Refused('flags cannot stand within it', 'write them behind it: /…/i')
    if (name !== undefined && !/^[A-Za-z_]\w*$/.test(name)) throw new Refused(`the group ${name} needs a plain name`)
    if (name !== undefined) this.#names.push(name)
    if (opened === '(' || name !== undefined) this.#groups++
    const inner = this.#sequence()
    this.#at++
    return { text: `${opened}${inner.text})`, repeats: inner.repeats }
  }

  #class(): string {
    const opened = this.#take(/\[\^?/y) ?? ''
    let text = ''
    while (this.#source[this.#at] !== ']') {
      if (this.#source[this.#at] === '\\') text += this.#escape('inside')
      else {
        const character = String.fromCodePoint(this.#source.codePointAt(this.#at) ?? 0)
        this.#at += character.length
        // [:alpha:] has a meaning in RE2
        text += character === '[' ? '\\[' : character
      }
    }
    this.#at++
    if (text === '') return opened === '[' ? '[^\\x{0}-\\x{10ffff}]' : '[\\x{0}-\\x{10ffff}]'
    return `${opened}${text}]`
  }

  #escape(where: 'inside' | 'outside'): string {
    const escape =
      this.#take(
        /\\(?:u\{[0-9a-fA-F]+\}|u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|x..|c.|[pP]\{[^}]*\}|k<[^>]*>|[1-9]\d*|[^])/y,
      ) ?? ''
    const kind = escape[1] ?? ''
    if (kind === 'k' || /[1-9]/.test(kind))
      throw new Refused(`it refers back to what a group has matched (${escape}), which takes more than linear time`)
    if (kind === 's') return where === 'inside' ? SPACE : `[${SPACE}]`
    if (kind === 'S') return where === 'inside' ? NO_SPACE : `[${NO_SPACE}]`
    if (/p/i.test(kind) && this.#flags.includes('i'))
      throw new Refused(`it has ${escape} and the flag i`, 'write the letters of both cases')
    if (kind === 'p' || kind === 'P') return unicodeClass(escape)
    if (kind === 'u' || kind === 'x') return `\\x{${codePoint(escape).toString(16)}}`
    if (kind === 'c') return `\\x{${(escape.charCodeAt(2) % 32).toString(16)}}`
    if (kind === '0') return '\\x{0}'
    if (kind === 'b' && where === 'inside') return '\\x{8}'
    return escape
  }
}

function codePoint(escape: string): number {
  const [high = 0, low] = (escape.match(/[0-9a-fA-F]{2,6}/g) ?? []).map((digits) => parseInt(digits, 16))
  const point = low === undefined ? high : ((high & 0x3ff) << 10) + (low & 0x3ff) + 0x10000
  if (point >= 0xd800 && point <= 0xdfff) throw new Refused(`${escape} is half a character`)
  return point
}

function unicodeClass(escape: string): string {
  const [, kind = 'p', name = ''] = /^\\([pP])\{(?:Script=|sc=)?([A-Za-z_]+)\}$/.exec(escape) ?? []
  if (escape.includes('=') ? name !== '' : /^[A-Z][a-z]?$/.test(name)) return `\\${kind}{${name}}`
  throw new Refused(`it has ${escape}`, 'categories are written \\p{L} or \\p{Lu}, scripts \\p{Script=Greek}')
}
