import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compile, js } from '../../../../../runtime/codegen/emitter.ts'
import { notPlain } from '../../../../../runtime/codegen/json/plain-bytes.ts'

test('four bytes are plain exactly when each of them is, wherever it lies', () => {
  const isNotPlain = compile<(word: number) => boolean>('plain bytes', js`return (x) => ${notPlain(js`x`)}`)
  const isPlainByte = (byte: number): boolean => byte >= 32 && byte !== 34 && byte !== 92 && byte < 128
  const check = (bytes: readonly number[]): void => {
    expect(isNotPlain(Buffer.from(bytes).readInt32BE(0))).toBe(!bytes.every(isPlainByte))
  }
  for (let byte = 0; byte < 256; byte++)
    for (let at = 0; at < 4; at++)
      for (const other of [32, 33, 35, 65, 91, 93, 127])
        check([0, 1, 2, 3].map((index) => (index === at ? byte : other)))
  const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(31, 32, 33, 34, 35, 91, 92, 93, 127, 128))
  fc.assert(fc.property(fc.tuple(byte, byte, byte, byte), check), { numRuns: 3000 })
})
