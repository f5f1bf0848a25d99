import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { kubectlDifferences } from '../../../../runtime/front/kubectl-yaml.ts'
import { yamlOfDocs } from '../../../harness/yaml-of-docs.ts'
import { ROOT } from '../../../harness/source-files.ts'

const messagesOf = (text: string): string[] =>
  parseAllDocuments(text).flatMap((document) => kubectlDifferences(document).map(({ message }) => message))

describe('where kubectl reads YAML in another way', () => {
  test.each([
    ['schema: { a: long? }', 'kubectl refuses a ? without quotes inside { } and [ ]: long?'],
    ['[a ? b]', 'kubectl refuses a ? without quotes inside { } and [ ]: a ? b'],
    ['y: 1', 'kubectl reads y as true'],
    ['{ a: Off }', 'kubectl reads Off as false'],
    ['a: 010', 'kubectl reads 010 as an octal number'],
    ['a: 0b11', 'kubectl reads 0b11 as a binary number'],
    ['a: 1_000', 'kubectl reads 1_000 as a number without its underscores'],
    ['a: .inf', 'kubectl refuses .inf'],
  ])('%s: %s', (text, message) => {
    expect(messagesOf(text)).toEqual([message])
  })

  test.each([
    'a: long?',
    "{ a: 'long?' }",
    "'y': 'on'",
    'a: yesterday',
    'a: 10',
    'a: 12:30',
    'a: _id',
    'a: |\n  y ? n',
  ])('%s is read in one way', (text) => {
    expect(messagesOf(text)).toEqual([])
  })
})

test.each(yamlOfDocs())('what $file shows at line $line is read in one way', ({ text }) => {
  expect(messagesOf(text)).toEqual([])
})

const EXAMPLES = readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' })

test.each(EXAMPLES.filter((file) => file.endsWith('.yaml')))('the example %s is read in one way', (file) => {
  expect(messagesOf(readFileSync(join(ROOT, 'examples', file), 'utf8'))).toEqual([])
})
