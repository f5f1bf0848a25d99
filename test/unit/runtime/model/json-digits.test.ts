import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { JsonNumber, parseWithDigits } from '../../../../runtime/model/json-digits.ts'
import { ROOT } from '../../../harness/source-files.ts'

const DEEP = '[[],{"text":"a,b"},{"n":2500,"list":'.repeat(190)

test('digits that a double would change are kept, and what is no JSON is a SyntaxError', () => {
  const found = parseWithDigits('{"a":12345678901234567890,"b":[0.10,1]}')
  expect(found).toEqual({ a: new JsonNumber('12345678901234567890'), b: [new JsonNumber('0.10'), 1] })
  expect(() => parseWithDigits('{"a":1')).toThrow(SyntaxError)
})

test.each([
  ['that ends too early', `${DEEP}[]}`],
  ['that is whole', `${DEEP}1${'}]'.repeat(190)}`],
])('a deep text %s is refused, however often it comes, and the process lives', (_what, text) => {
  const module = join(ROOT, 'runtime', 'model', 'json-digits.ts')
  const code = `
    const { parseWithDigits } = await import(${JSON.stringify(module)})
    let refused = 0
    for (let n = 0; n < 5000; n++) try { parseWithDigits(${JSON.stringify(text)}) } catch { refused++ }
    console.log(refused)`
  const { status, stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
  })
  expect({ status, signal, stdout }).toEqual({ status: 0, signal: null, stdout: '5000\n' })
})
