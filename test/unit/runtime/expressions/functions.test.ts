import { expect, test } from 'vitest'
import { CONSTANTS, FUNCTIONS } from '../../../../runtime/expressions/functions.ts'

/** One value of each kind a parameter may want. */
const SAMPLE = {
  long: 3,
  double: 1.5,
  number: 2.5,
  boolean: true,
  string: '2001-01-01',
  timestamp: 1000,
  json: { a: 1 },
  any: '7',
} as const

test.each([...FUNCTIONS])(
  '%s exists in the language and gives the type its table says',
  (_, { signatures, emission }) => {
    for (const { parameters, result, resultNullable } of signatures) {
      const values: unknown[] = parameters.map((parameter) => SAMPLE[parameter])
      const answer = emission.emit === 'global' ? callGlobal(emission.name, values) : callMethod(emission.name, values)
      const kind = {
        long: 'number',
        double: 'number',
        timestamp: 'number',
        json: typeof answer,
        boolean: 'boolean',
        string: 'string',
      }[result]
      expect(typeof answer).toBe(answer === undefined && resultNullable === true ? 'undefined' : kind)
    }
  },
)

test('constants are numbers', () => {
  for (const value of CONSTANTS.values()) expect(Number.isFinite(value)).toBe(true)
})

function callGlobal(name: string, values: readonly unknown[]): unknown {
  const found = name
    .split('.')
    .reduce((object: unknown, key) => Reflect.get(Object(object), key) as unknown, globalThis)
  if (typeof found !== 'function') throw new Error(`${name} is not a function`)
  return Reflect.apply(found, undefined, name === 'JSON.parse' ? ['{"a":1}'] : values) as unknown
}

function callMethod(name: string, [receiver, ...values]: readonly unknown[]): unknown {
  const found: unknown = Reflect.get(Object(receiver), name)
  if (typeof found !== 'function') throw new Error(`${name} is not a method`)
  return Reflect.apply(found, receiver, values) as unknown
}
