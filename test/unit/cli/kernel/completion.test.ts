import fc from 'fast-check'
import { expect, test } from 'vitest'
import { completionOf, helpOf, isCompleteText } from '../../../../cli/kernel/completion.ts'
import { cursorContext } from '../../../../cli/kernel/cursor-context.ts'

/** The text with | where the cursor stands. */
function atCursor<T>(marked: string, ask: (code: string, at: number) => T): T {
  return ask(marked.replace('|', ''), Array.from(marked.slice(0, marked.indexOf('|'))).length)
}
const matches = (marked: string): unknown => atCursor(marked, completionOf)['matches']
const path = (marked: string): readonly string[] => cursorContext(marked.replace('|', ''), marked.indexOf('|')).path

test.each([
  ['- id: a\n  |', []],
  ['- id: a\n  source:\n    kafka: { brokers: x, |', ['source', 'kafka']],
  ['- id: a\n  source:\n    kafka:\n      topic: t\n      |', ['source', 'kafka']],
  ['- id: a\n  source: { kafka: { tls: { | } } }', ['source', 'kafka', 'tls']],
  ['- id: a\n  source: { kafka: { tls: {} }, | }', ['source']],
  ['- id: a\n  source: { file: { path: "{ x: " } }\n  | ', []],
  ['spec:\n  graph:\n    - id: a\n      sink:\n        |', ['spec', 'graph', 'sink']],
  ['spec:\n  graph:\n    - id: a\n      sink: { console: {} }\n    - |', ['spec', 'graph']],
  ['a: { # {{{\n  b: { |', ['a', 'b']],
])('when the cursor stands in %j, the mappings around it are %j', (marked, expected) => {
  expect(path(marked)).toEqual(expected)
})

test.each([
  ['- id: a\n  so|', ['source']],
  ['# ü 😀\n- id: a\n  source: { kaf| }', ['kafka']],
  ['- id: a\n  join: { lookup: { ku| } }', ['kudu']],
  ['spec:\n  graph:\n    - id: a\n      sink:\n        fil|', ['file']],
  ['met|', ['metadata']],
  ["import { job, nexm| } from 'millrace'", ['nexmark']],
  ['- id: a\n  source: { constructor: { |', []],
  ['- id: a\n  source: { nosuch: { |', []],
])('when names are asked for in %j, they are %j', (marked, expected) => {
  expect(matches(marked)).toEqual(expected)
})

test('when the text has characters of two units, the places of a completion count code points', () => {
  expect(atCursor('# 😀😀\n- id: a\n  so|u', completionOf)).toMatchObject({ cursor_start: 15, cursor_end: 17 })
})

test('when an option of a connector is asked for, its help is that of millrace explain', () => {
  const help = atCursor('- id: a\n  source: { kafka: { top|ic: x } }', helpOf)
  expect(help).toMatchObject({ found: true, data: { 'text/plain': expect.stringMatching(/^ {2}topic: /) } })
  expect(atCursor('- id: a\n  source: { kaf|ka: {} }', helpOf)).toMatchObject({
    data: { 'text/plain': expect.stringMatching(/^kafka: /) },
  })
  expect(atCursor('- id: a\n  wind|ow: {}', helpOf)).toMatchObject({ found: true })
  expect(atCursor('- id: a\n  source: { constr|uctor: {} }', helpOf)).toMatchObject({ found: false })
})

test('when the last line is empty the text is complete, else it goes on with its indentation', () => {
  expect(isCompleteText('- id: a\n  source:')).toEqual({ status: 'incomplete', indent: '  ' })
  expect(isCompleteText('- id: a\n')).toEqual({ status: 'complete' })
})

test('when a text and a place are anything at all, they are answered', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[-a-z:{}[\]"'# \n]{0,200}$/))
  fc.assert(
    fc.property(text, fc.nat({ max: 300 }), (code, at) => {
      expect(completionOf(code, at)).toMatchObject({ status: 'ok' })
      expect(helpOf(code, at)).toMatchObject({ status: 'ok' })
    }),
  )
})
