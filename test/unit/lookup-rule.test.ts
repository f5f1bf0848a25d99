import { describe, expect, test } from 'vitest'
import { ARGUED_LOOKUPS } from '../harness/argued-lookups.ts'
import { stringLookups } from '../harness/string-lookups.ts'

const SAMPLE = 'test/fixtures/string-lookups.ts'

/**
 * A name from outside may be `constructor`, which a plain object has without having been given it. So it is looked up in
 * a Map, by `memberOf` (runtime/model/fields.ts), or beside `Object.hasOwn`. No lint rule knows the types for that.
 */
describe('the lookup rule', () => {
  const found = stringLookups((path) => /^(?:runtime|operator|cli|embedded)\//.test(path) || path === SAMPLE)

  test('no plain object is asked for a name that is known at run time only, but where it is argued', () => {
    const argued = new Map(Object.values(ARGUED_LOOKUPS).flatMap((files) => Object.entries(files)))
    const byFile = Map.groupBy(
      found.filter((one) => !one.startsWith(SAMPLE)),
      (one) => one.replace(/:.*/, ''),
    )
    const more = [...byFile].filter(([file, lookups]) => lookups.length > (argued.get(file) ?? 0))
    expect(more.flatMap(([, lookups]) => lookups)).toEqual([])
    const fewer = [...argued].filter(([file, count]) => (byFile.get(file)?.length ?? 0) < count)
    expect(fewer, 'argued, and not there any more').toEqual([])
  })

  test('finds each such lookup of a sample, and no other', () => {
    expect(found.filter((one) => one.startsWith(SAMPLE)).map((one) => one.replace(/^[^ ]* /, ''))).toEqual([
      'record[name]',
      'record[name]',
      'record.inner[`${name}s`]',
      'fields[name]',
      'name in fields',
    ])
  })
})
