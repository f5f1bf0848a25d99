import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { checkExpressionTree } from '../../../../runtime/expressions/check-tree.ts'
import { parseExpression } from '../../../../runtime/expressions/parse.ts'
import { callsPatterns } from '../../../../runtime/expressions/pattern-calls.ts'
import { readPattern } from '../../../../runtime/expressions/pattern-syntax.ts'
import { expressionText } from '../../../../runtime/expressions/text.ts'
import { extractPattern, loadPatterns, matchesPattern, replaceMatches } from '../../../../runtime/memory/patterns.ts'
import { computed } from '../../../harness/computed.ts'
import { schemaOf } from '../../../harness/formats.ts'

const TYPES = { url: 'string', city: 'string?' }
const ROW = { url: '/items/17?id=345&tag=a b', city: null }

beforeAll(loadPatterns)

describe('a regular expression', () => {
  test.each([
    ['url.matches(/id=\\d+/)', 'boolean', true],
    ["url.matches('^id')", 'boolean', false],
    ['/TAG/i.test(url)', 'boolean', true],
    ['url.extract(/id=(\\d+)/, 1)', 'string?', '345'],
    ['url.extract(/id=\\d+/)', 'string?', 'id=345'],
    ["url.extract(/tag=(?<tag>[^&]*)/, 'tag')", 'string?', 'a b'],
    ['url.extract(/(x)?items/, 1)', 'string?', null],
    ['url.extract(/none/)', 'string?', null],
    ["url.replaceAll(/\\d/, '#')", 'string', '/items/##?id=###&tag=a b'],
    ["url.replace(/\\d/, '#')", 'string', '/items/#7?id=345&tag=a b'],
    ["url.replace(/(\\w+)=(\\w+)/g, '$2=$1 $$ $& $7')", 'string', '/items/17?345=id $ id=345 $7&a=tag $ tag=a $7 b'],
    ["url.replaceAll(/(?<key>\\w+)=/, '$<key>:')", 'string', '/items/17?id:345&tag:a b'],
    ["url.replace(/(items)/, '$10')", 'string', '/items0/17?id=345&tag=a b'],
    ["url.replace(/(?<key>items)/, '<$<none>>')", 'string', '/<>/17?id=345&tag=a b'],
    ['city.matches(/a/)', 'boolean?', null],
    ["city.replaceAll(/a/, 'b')", 'string?', null],
  ])('%s is %s %j', (text, type, value) => {
    expect(computed(text, TYPES, ROW)).toEqual({ type, value })
    const tree = parseExpression(text, schemaOf(TYPES))
    expect(parseExpression(expressionText(tree), schemaOf(TYPES))).toEqual(tree)
    expect(checkExpressionTree(JSON.parse(JSON.stringify(tree)))).toBeUndefined()
    expect(callsPatterns([{ verb: { condition: tree } }])).toBe(true)
  })

  test.each([
    ['url.matches(/(?=a)b/)', 'looks ahead or behind'],
    ['url.matches(/(?<!a)b/)', 'looks ahead or behind'],
    ['url.matches(/(a)\\1/)', 'refers back'],
    ['url.matches(/(?<n>a)\\k<n>/)', 'refers back'],
    ["url.matches('(a')", 'Unterminated group'],
    ['url.matches(/a{1001}/)', 'repeats a part 1001 times'],
    ['url.matches(/(a{40}){50}/)', 'repeats a part 2000 times'],
    ['url.matches(/a/y)', 'there is no flag y'],
    ['url.matches(/\\p{Lu}/iu)', 'has \\p{Lu} and the flag i'],
    ['url.matches(/\\p{Emoji}/)', 'it has \\p{Emoji}'],
    ["url.matches('(?i:a)')", 'flags cannot stand within it'],
  ])('%s is refused where it stands: %s', (text, message) => {
    const read = (): unknown => parseExpression(text, schemaOf(TYPES))
    expect(read).toThrow(
      expect.objectContaining({
        code: 'PATTERN_INVALID',
        message: expect.stringContaining(message) as unknown,
        position: { line: 1, column: 13 },
      }),
    )
  })

  test('from another process is refused when it is none', () => {
    const tree = JSON.parse(JSON.stringify(parseExpression('url.matches(/a/)', schemaOf(TYPES)))) as {
      arguments: { value: unknown }[]
    }
    for (const source of ['(', '(?=a)', 1, null]) {
      tree.arguments[1] = { ...tree.arguments[1], value: source }
      expect(checkExpressionTree(tree)).toBeDefined()
    }
  })

  test.each(['(a+)+$', '(a|aa)+$', '(a|a?)+b$', '(.*a){12}$', 'a*a*a*a*b'])(
    '%s over a hundred thousand letters takes no more than a look at each',
    (source) => {
      expect(matchesPattern(`${'a'.repeat(100_000)}!`, source, '')).toBe(false)
    },
  )

  test('matches what it matches in JavaScript, whatever both can say', () => {
    const atom = fc.oneof(
      fc.constantFrom('a', 'b', 'é', '😀', '.', '\\d', '\\w', '\\s', '\\S', '\\D', '\\W', '[ab]', '[^a]', '[\\s\\d]'),
      fc.constantFrom(
        '[\\S]',
        '[a-é]',
        '\\u0061',
        '\\u{1F600}',
        '\\x62',
        '\\n',
        '\\.',
        '[[:a]',
        '[\\b]',
        '\\cJ',
        '\\p{L}',
        '\\/',
      ),
      fc.constantFrom('\\uD83D\\uDE00', '\\P{Lu}', '[^\\S\\n]', '[^]', '[&&]', '\\t', '\\p{Script=Greek}'),
    )
    const quantifier = fc.constantFrom('', '', '', '*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{2,}?')
    const { pattern } = fc.letrec<{ pattern: string; sequence: string; piece: string }>((tie) => ({
      pattern: fc.oneof(
        { maxDepth: 3 },
        tie('sequence'),
        fc.tuple(tie('sequence'), tie('sequence')).map(([a, b]) => `${a}|${b}`),
      ),
      sequence: fc.array(tie('piece'), { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('')),
      piece: fc.oneof(
        { maxDepth: 3 },
        fc.tuple(atom, quantifier).map(([one, times]) => one + times),
        // what a repeated group that matches nothing does differs, as do groups within repetitions
        fc.tuple(fc.constantFrom('(', '(?:'), tie('pattern')).map(([open, inner]) => `${open}${inner})`),
        fc
          .tuple(atom, fc.constantFrom('+', '{2}', '+?'), atom)
          .map(([one, times, other]) => `(?:${one}${other})${times}`),
        fc.constantFrom('^', '$', '\\b', '\\B'),
      ),
    }))
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', 'A', 'é', '1', ' ', '\n', '😀', '.', '\u2028', '\u00a0', 'α', '[', '&'),
      maxLength: 12,
    })
    fc.assert(
      fc.property(pattern, fc.constantFrom('', 'i', 's'), text, (source, flags, subject) => {
        const theirs = new RegExp(source, `${flags}gu`)
        fc.pre(flags !== 'i' || !/\\p\{/i.test(source))
        // V8 finds \B within a character of two units
        fc.pre(!source.includes('\\B') || !subject.includes('😀'))
        expect('re2' in readPattern(source, flags)).toBe(true)
        const found = theirs.exec(subject)
        expect(matchesPattern(subject, source, flags)).toBe(found !== null)
        expect(extractPattern(subject, source, flags, 0)).toBe(found?.[0] ?? null)
        theirs.lastIndex = 0
        expect(replaceMatches(subject, source, flags, '<$&>')).toBe(subject.replace(theirs, '<$&>'))
      }),
      { numRuns: 2000 },
    )
  })

  test('whatever its text, it is refused with a reason or the engine takes it', () => {
    const piece = fc.constantFrom(
      'a',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '\\',
      '?',
      '*',
      '+',
      '|',
      '^',
      '-',
      '1',
      ',',
      ':',
      '<',
      '>',
      '=',
      '.',
      'd',
      'p',
      'u',
      'x',
    )
    fc.assert(
      fc.property(fc.string({ unit: piece, maxLength: 12 }), (source) => {
        const syntax = readPattern(source, '')
        if ('problem' in syntax) expect(syntax.problem).not.toBe('')
        else expect(typeof matchesPattern('aab1', source, '')).toBe('boolean')
      }),
      { numRuns: 3000 },
    )
  })
})
