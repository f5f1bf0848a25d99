import { describe, expect, test } from 'vitest'
import { entryOutput, entryProblems, hasEventTime } from './entry-problems.ts'

describe('flatMap', () => {
  test('the element stands where the array stood, and event time goes on', () => {
    expect(entryOutput({ flatMap: { unnest: 'tags', as: 'tag', type: 'string' } })).toEqual([
      'id: long',
      'name: string?',
      'price: double',
      'at: timestamp',
      'tag: string',
    ])
    expect(entryOutput({ flatMap: { unnest: 'tags', type: 'long', keepEmpty: true } }).at(-1)).toBe('tags: long?')
    expect(hasEventTime({ flatMap: { unnest: 'tags', as: 'tag', type: 'string' } })).toBe(true)
  })

  test('behind a function there is event time where the field of that name is a timestamp, or where it says', () => {
    const form = (output: object, more = {}) => ({ flatMap: { module: 'user', function: 'f', output, ...more } })
    expect(hasEventTime(form({ id: 'long', at: 'timestamp' }))).toBe(true)
    expect(hasEventTime(form({ id: 'long', when: 'timestamp' }))).toBe(false)
    expect(hasEventTime(form({ id: 'long', when: 'timestamp' }, { eventTime: 'when' }))).toBe(true)
    expect(hasEventTime(form({ id: 'long', at: 'timestamp?' }))).toBe(false)
  })

  test.each([
    ['nothing', null, 'TYPE_MISMATCH flatMap: must be a mapping, not nothing'],
    [
      'no type',
      { unnest: 'tags' },
      'SCHEMA_MISSING flatMap: does not say of which type the elements are; write { unnest: tags, as: tag, type: string }',
    ],
    [
      'an unknown field',
      { unnest: 'tgas', type: 'string' },
      'UNKNOWN_FIELD flatMap.unnest: there is no field "tgas"; did you mean "tags"?',
    ],
    [
      'a field that is not json',
      { unnest: 'name', type: 'string' },
      'TYPE_MISMATCH flatMap.unnest: "name" is string, only json and array fields hold arrays; declare it as array<type> at the source',
    ],
    [
      'a name that is taken',
      { unnest: 'tags', as: 'name', type: 'string' },
      'DUPLICATE_FIELD flatMap.as: there is a field "name" already',
    ],
    [
      'a name that is none',
      { unnest: 'tags', as: 'a-b', type: 'string' },
      'FIELD_NAME_INVALID flatMap.as: "a-b" cannot be a field name',
    ],
    ['an unknown type', { unnest: 'tags', type: 'text' }, 'UNKNOWN_TYPE flatMap.type: there is no type "text"'],
    [
      'keepEmpty that is not a boolean',
      { unnest: 'tags', type: 'string', keepEmpty: 'yes' },
      'TYPE_MISMATCH flatMap.keepEmpty: must be true or false, not "yes"',
    ],
    [
      'an unknown option',
      { unnest: 'tags', type: 'string', keepempty: true },
      'UNKNOWN_FIELD flatMap.keepempty: unknown field "keepempty"; did you mean "keepEmpty"?',
    ],
    [
      'an unknown module',
      { module: 'usr', function: 'f', output: { id: 'long' } },
      'UNKNOWN_MODULE flatMap.module: there is no module "usr"; did you mean "user"?',
    ],
    [
      'a function without output',
      { module: 'user', function: 'f' },
      'SCHEMA_MISSING flatMap: does not say which rows come out; write output: { field: type, … }; what the function gives is checked against it',
    ],
    [
      'an event time that is not a field of the output',
      { module: 'user', function: 'f', output: { at: 'timestamp' }, eventTime: 'a' },
      'UNKNOWN_FIELD flatMap.eventTime: there is no field "a" in output; did you mean "at"?',
    ],
    [
      'an event time that may be null',
      { module: 'user', function: 'f', output: { at: 'timestamp?' }, eventTime: 'at' },
      'TYPE_MISMATCH flatMap.eventTime: "at" is timestamp?, event time must be a timestamp that is never null',
    ],
  ])('with %s it is refused', (_what, flatMap, problem) => {
    expect(entryProblems({ flatMap }).map((found) => found.slice(0, problem.length))).toEqual([problem])
  })
})

describe('filter and map by functions', () => {
  test('a function keeps the rows of a filter and gives those it declares to a map', () => {
    expect(entryOutput({ filter: { module: 'user', function: 'f' } })).toHaveLength(5)
    expect(entryOutput({ map: { module: 'user', function: 'f', output: { a: 'long?', b: 'json' } } })).toEqual([
      'a: long?',
      'b: json',
    ])
  })

  test('a map of three expressions may still be called module, function and output', () => {
    expect(entryOutput({ map: { module: 'id', function: 'id', output: 'id' } })).toEqual([
      'module: long',
      'function: long',
      'output: long',
    ])
  })

  test.each([
    [{ filter: { module: 'user', function: '' } }, 'TYPE_MISMATCH filter.function: must be a text, not ""'],
    [{ filter: { function: 'f' } }, 'TYPE_MISMATCH filter.module: must be a text, not nothing'],
    [
      { filter: { module: 'user', function: 'f', output: {} } },
      'UNKNOWN_FIELD filter.output: unknown field "output"; known here: module, function',
    ],
    [{ map: { module: 'user', function: 'f', output: {} } }, 'TOO_LARGE map.output: has 0 fields, 1 to 256 are taken'],
  ])('%j is refused', (entry, problem) => {
    expect(entryProblems(entry)).toEqual([problem])
  })
})
