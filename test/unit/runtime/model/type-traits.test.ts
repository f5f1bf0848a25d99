import { describe, expect, test } from 'vitest'
import { compileKeyCodec } from '../../../../runtime/codegen/keys/key-codec.ts'
import { FIELD_TYPES } from '../../../../runtime/model/schema.ts'
import { isKeptAsText, storageOf, traitsOf } from '../../../../runtime/model/type-traits.ts'

describe.each(FIELD_TYPES)('the type %s', (type) => {
  const field = { name: 'a', type, nullable: false }

  test('can be a key exactly when its values have equality', () => {
    const compile = () => compileKeyCodec([field])
    if (traitsOf(field).hasEquality) expect(compile).not.toThrow()
    else expect(compile).toThrow(expect.objectContaining({ code: 'KEY_TYPE_UNSUPPORTED' }))
  })

  test('is ranked only when it is held as a number', () => {
    expect(traitsOf(field).isRanked && storageOf(field) !== 'number').toBe(false)
  })

  test('is kept as text unless it is held as a number or a bit', () => {
    expect(isKeptAsText(field)).toBe(!['number', 'bit'].includes(storageOf(field)))
  })
})
