import { describe, expect, test } from 'vitest'
import { validateCel } from '../../../embedded/cel.ts'
import type { Schema } from '../../../embedded/schema.ts'
import { applyDefaults, pruneUnknown, validateSchema } from '../../../embedded/schema.ts'

const schema: Schema = {
  type: 'object',
  required: ['id'],
  properties: {
    id: { type: 'string' },
    count: { type: 'integer', default: 3, minimum: 1 },
    nested: { type: 'object', default: {}, properties: { on: { type: 'boolean', default: true } } },
    free: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { known: { type: 'object', properties: {} } },
    },
    list: {
      type: 'array',
      maxItems: 2,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', properties: { k: { type: 'string' } } },
    },
    either: { 'x-kubernetes-int-or-string': true },
  },
}

describe('structural schemas', () => {
  test('defaults are filled in at every level, also inside defaults, and never replace a value', () => {
    const value = { id: 'a', count: 7 }
    applyDefaults(value, schema)
    expect(value).toEqual({ id: 'a', count: 7, nested: { on: true } })
  })

  test('unknown members are removed and named, except where they are to be kept', () => {
    const value = { id: 'a', typo: 1, free: { any: 1, known: { gone: 1 } }, list: [{ k: 'x', l: 1 }] }
    expect(pruneUnknown(value, schema, 'spec')).toEqual(['spec.typo', 'spec.free.known.gone', 'spec.list[0].l'])
    expect(value).toEqual({ id: 'a', free: { any: 1, known: {} }, list: [{ k: 'x' }] })
  })

  test('each mistake is told in the words of the real server', () => {
    const errors = validateSchema(
      { count: 0, nested: 'x', list: [{ k: 'a' }, { k: 'a' }, { k: 'b' }], either: 1.5 },
      schema,
      'spec',
    )
    expect(errors.map((error) => `${error.field}: ${error.message}`)).toEqual([
      'spec.id: Required value',
      'spec.count: Invalid value: 0: spec.count in body should be greater than or equal to 1',
      'spec.nested: Invalid value: "string": spec.nested in body must be of type object: "string"',
      'spec.list: Too many: 3: must have at most 2 items',
      'spec.list[1]: Duplicate value: {"k":"a"}',
      'spec.either: Invalid value: "number": spec.either in body must be of type integer,string: "number"',
    ])
  })
})

describe('CEL rules', () => {
  const rules: Schema = {
    type: 'object',
    properties: { min: { type: 'integer' }, max: { type: 'integer' }, namespace: { type: 'string' } },
    'x-kubernetes-validations': [
      {
        rule: 'self.min <= self.max',
        messageExpression: "'min ' + string(self.min) + ' is above max ' + string(self.max)",
      },
      { rule: '!has(oldSelf.max) || self.max >= oldSelf.max', message: 'max may only grow' },
      { rule: "!has(self.__namespace__) || self.__namespace__ != 'x'", message: 'not x', fieldPath: '.namespace' },
    ],
  }

  test('a broken rule gives its message, and transition rules run only with an old value', () => {
    expect(validateCel({ min: 5, max: 4 }, undefined, rules, 'spec').map((error) => error.message)).toEqual([
      'Invalid value: "object": min 5 is above max 4',
    ])
    expect(validateCel({ min: 1, max: 2 }, { min: 1, max: 3 }, rules, 'spec').map((error) => error.message)).toEqual([
      'Invalid value: "object": max may only grow',
    ])
  })

  test('a message is formatted as on a real server, and one that cannot be falls back to the plain message', () => {
    const formatted = (messageExpression: string): string[] =>
      validateCel(
        { min: 5, max: 4 },
        undefined,
        {
          ...rules,
          'x-kubernetes-validations': [{ rule: 'self.min <= self.max', messageExpression, message: 'plain' }],
        },
        'spec',
      ).map((error) => error.message)
    expect(formatted("'min %d, max %s, 100 %%'.format([self.min, self.max])")).toEqual([
      'Invalid value: "object": min 5, max 4, 100 %',
    ])
    expect(formatted("'min %d, max %d'.format([self.min])")).toEqual(['Invalid value: "object": plain'])
  })

  test('reserved names are escaped and fieldPath names the field', () => {
    expect(
      validateCel({ min: 1, max: 2, namespace: 'x' }, undefined, rules, 'spec').map((error) => error.field),
    ).toEqual(['spec.namespace'])
  })
})
