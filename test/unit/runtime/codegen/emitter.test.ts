import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  compile,
  generatedFor,
  identifier,
  joined,
  js,
  lines,
  NOTHING,
  path,
  property,
  recordGenerated,
  type Code,
  type Part,
} from '../../../../runtime/codegen/emitter.ts'

describe('a template of code', () => {
  test('quotes a string, whatever it holds', () => {
    const hostile = '"; process.exit() // ${1} ` \\ \u2028'
    const code = js`return ${hostile}`
    expect(code.text).toBe(String.raw`return "\"; process.exit() // ${'${1}'} ${'`'} \\ \u2028"`)
    expect(compile('test', code)).toBe(hostile)
  })

  test('writes numbers, booleans and null as their literals', () => {
    expect(js`[${1.5}, ${-2}, ${-0}, ${NaN}, ${true}, ${null}]`.text).toBe('[1.5, (-2), (-0), NaN, true, null]')
  })

  test('makes a name of a word and a number', () => {
    expect(js`const v${2} = r${10}${property('price')}`.text).toBe('const v2 = r10.price')
  })

  test('inserts a list as statements where it stands alone in its line, and with commas elsewhere', () => {
    const values = [js`a`, NOTHING, js`b`]
    expect(
      js`
      call(${values})
      ${values}
    `.text,
    ).toBe('call(a, b)\na\nb')
  })

  test('gives all lines of what is inserted the indentation of its place', () => {
    const inner = lines([js`one()`, js`two()`])
    const code = js`
      if (x) {
        ${inner}
        ${NOTHING}
      } else ${js`
        {
          three()
        }`}`
    expect(code.text).toBe('if (x) {\n  one()\n  two()\n} else {\n  three()\n}')
  })

  test('does not take a text for code: it does not compile', () => {
    expectTypeOf<string>().not.toExtend<Code>()
    expectTypeOf<string[]>().not.toExtend<Part>()
    expectTypeOf<{ text: string; isEmpty: boolean }>().not.toExtend<Code>()
  })
})

test('a name that is not an identifier is refused as a property and as an identifier', () => {
  for (const name of ['a b', 'a;b', '', '1a', 'a.b', '__proto__', 'true']) {
    expect(() => property(name)).toThrow(expect.objectContaining({ code: 'FIELD_NAME_INVALID' }))
    expect(() => identifier(name)).toThrow(expect.objectContaining({ code: 'FIELD_NAME_INVALID' }))
  }
})

test('a path that is not made of identifiers is refused', () => {
  expect(path('Math.max').text).toBe('Math.max')
  expect(() => path('Math.max()')).toThrow(expect.objectContaining({ code: 'CODE_PATH_INVALID' }))
})

test('parts are joined by an operator', () => {
  expect(joined([js`a`, js`b`], ' && ').text).toBe('a && b')
})

test('a stack trace names job, operator and shape of the code that throws', () => {
  const fail = generatedFor({ job: 'flights' }, () =>
    generatedFor({ operator: 'a→b' }, () =>
      compile<() => void>('window', js`return function add() { throw new Error('x') }`),
    ),
  )
  expect(stackOf(fail)).toContain('at add (millrace:///flights/a%E2%86%92b/window:')
})

test('code without an owner is named by its shape', () => {
  expect(stackOf(compile('chain', js`return function run() { throw new Error('x') }`))).toContain(
    'at run (millrace:///chain:',
  )
})

test('what is compiled in a recording is listed with its owner, and nothing after it', async () => {
  const sources = await recordGenerated(async () => {
    generatedFor({ operator: 'a' }, () => compile('one', js`return 1`))
    await Promise.resolve()
    compile('two', js`return 2`)
  })
  compile('three', js`return 3`)
  expect(sources).toEqual([
    { owner: { operator: 'a' }, shape: 'one', text: 'return 1' },
    { owner: {}, shape: 'two', text: 'return 2' },
  ])
})

function stackOf(run: () => void): string {
  try {
    run()
    return ''
  } catch (error) {
    return String((error as Error).stack)
  }
}
