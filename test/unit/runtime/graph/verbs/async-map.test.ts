import { describe, expect, test } from 'vitest'
import { entryOutput, entryProblems, hasEventTime } from './entry-problems.ts'

const FORM = { module: 'user', function: 'f', output: { id: 'long', city: 'string?' } }
const HTTP = { http: { url: 'http://cities/{name}' }, output: { city: 'string?' } }

describe('asyncMap', () => {
  test('a function gives the rows it declares, a request puts the answer behind the row', () => {
    expect(entryOutput({ asyncMap: FORM })).toEqual(['id: long', 'city: string?'])
    expect(entryOutput({ asyncMap: HTTP })).toEqual([
      'id: long',
      'name: string?',
      'price: double',
      'at: timestamp',
      'tags: json?',
      'city: string?',
    ])
    expect(hasEventTime({ asyncMap: HTTP })).toBe(true)
    expect(hasEventTime({ asyncMap: FORM })).toBe(false)
  })

  test.each([
    [
      'neither function nor request',
      { output: { id: 'long' } },
      'CALL_MISSING asyncMap: calls nothing; write { module: NAME, function: EXPORT } or { http: { url: … } }',
    ],
    [
      'an unknown order',
      { ...FORM, order: 'unorderd' },
      'UNKNOWN_VALUE asyncMap.order: "unorderd" is not an order; did you mean "unordered"?',
    ],
    ['no capacity', { ...FORM, capacity: 0 }, 'TYPE_MISMATCH asyncMap.capacity: must be a whole number ≥ 1, not 0'],
    [
      'too much capacity',
      { ...FORM, capacity: 100_000 },
      'TOO_LARGE asyncMap.capacity: is 100000, at most 10000 is taken',
    ],
    ['no time', { ...FORM, timeout: '0s' }, 'DURATION_INVALID asyncMap.timeout: leaves no time for the call'],
    [
      'a retry without attempts',
      { ...FORM, retry: { backoff: '1s' } },
      'TYPE_MISMATCH asyncMap.retry.attempts: must be a whole number ≥ 1, not nothing',
    ],
    [
      'an unknown method',
      { ...HTTP, http: { url: 'http://c/', method: 'PUT' } },
      'UNKNOWN_VALUE asyncMap.http.method: "PUT" is not a method; write GET or POST',
    ],
    [
      'a host from the row',
      { ...HTTP, http: { url: 'http://{name}/x' } },
      'OPTION_INVALID asyncMap.http.url: must begin with http:// or https:// and a host without fields of the row',
    ],
    [
      'a host that goes on with the row',
      { ...HTTP, http: { url: 'http://a{name}/x' } },
      'OPTION_INVALID asyncMap.http.url: must begin with http:// or https://',
    ],
    [
      'another protocol',
      { ...HTTP, http: { url: 'file:///etc/passwd' } },
      'OPTION_INVALID asyncMap.http.url: must begin with http:// or https://',
    ],
    [
      'a field that is not there',
      { ...HTTP, http: { url: 'http://c/{nmae}' } },
      'UNKNOWN_FIELD asyncMap.http.url: there is no field "nmae"; did you mean "name"?',
    ],
    [
      'a lone brace',
      { ...HTTP, http: { url: 'http://c/{' } },
      'OPTION_INVALID asyncMap.http.url: has a { that begins no {field}; write {{ for a brace',
    ],
    [
      'a body of a GET',
      { ...HTTP, http: { url: 'http://c/', body: 'x' } },
      'UNKNOWN_FIELD asyncMap.http.body: a GET has no body; write method: POST',
    ],
    [
      'a header of no name',
      { ...HTTP, http: { url: 'http://c/', headers: { 'a b': 'x' } } },
      'OPTION_INVALID asyncMap.http.headers["a b"]: "a b" is not a name of a header',
    ],
    [
      'an answer that hides a field',
      { ...HTTP, output: { name: 'string' } },
      'DUPLICATE_FIELD asyncMap.output.name: the row has a field "name" already',
    ],
  ])('with %s it is refused', (_what, asyncMap, problem) => {
    expect(entryProblems({ asyncMap }).map((found) => found.slice(0, problem.length))).toEqual([problem])
  })
})
