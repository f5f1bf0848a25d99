import { expect, test } from 'vitest'
import { printable } from '../../../../runtime/model/printable.ts'

test('what a terminal takes for a command is written out', () => {
  expect(printable('\u001b]0;title\u0007 \u001b[31mred\u009b0m\r\u007f')).toBe(
    '\\u001b]0;title\\u0007 \\u001b[31mred\\u009b0m\\u000d\\u007f',
  )
})

test('text, lines, tabs and signs of any script stay', () => {
  const text = 'Müller\t日本語 👩‍🚀\nnext line'
  expect(printable(text)).toBe(text)
})

test('what turns the direction of text is written out', () => {
  expect(printable('exe.\u202egnp')).toBe('exe.\\u202egnp')
})

test('a JSON text that is written out means the same', () => {
  const text = JSON.stringify({ name: 'a\u007f\u0085b' })
  expect(JSON.parse(printable(text))).toEqual({ name: 'a\u007f\u0085b' })
})
