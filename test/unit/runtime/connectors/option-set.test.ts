import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { declaration as fileLetters } from '../../../../runtime/connectors/file/declaration.ts'
import { mapping, OptionSet } from '../../../../runtime/connectors/kit/option-set.ts'
import { choice, count, duration, flag, text } from '../../../../runtime/connectors/kit/option-types.ts'
import { storagePath } from '../../../../runtime/connectors/kit/storage-option.ts'
import { declaration as webhook } from '../../../../runtime/connectors/webhook/declaration.ts'
import type { OptionDescriptions } from '../../../../runtime/graph/connector-declaration.ts'

const SET = new OptionSet(
  {
    name: { type: text, required: 'a name', doc: 'A name.' },
    often: { type: duration('1s'), default: '10s', doc: 'How often.' },
    loud: { type: flag, default: false, doc: 'Whether it is loud.' },
    mode: { type: choice('fast', 'safe'), doc: 'The mode.' },
    inner: { type: mapping({ size: { type: count(9), default: 3, doc: 'A size.' } }), doc: 'A mapping.' },
  },
  ({ loud, mode }, _written, report) => {
    if (loud === true && mode === 'safe') report('mode', 'cannot be safe and loud')
  },
)

describe('a table of options', () => {
  test('when only the required option is given, the defaults fill in the others that have one', () => {
    expect(SET.read({ name: 'n' })).toEqual({ name: 'n', often: 10_000, loud: false })
  })

  test('when an option is null, it stands for its default, and without a default it is a mistake', () => {
    expect(SET.read({ name: 'n', often: null, loud: null }).often).toBe(10_000)
    expect(SET.check({ name: null, mode: null }).map(({ path }) => path)).toEqual(['name', 'mode'])
  })

  test('when options are given, they are read into their types', () => {
    const { name, often, mode, inner } = SET.read({ name: 'n', often: '2m', mode: 'fast', inner: {} })
    expect([name.length, often + 1, mode, inner?.size]).toEqual([1, 120_001, 'fast', 3])
  })

  test('when several options are wrong, all mistakes are reported with their paths', () => {
    const problems = SET.check({ often: '1ms', loud: 'no', mode: 'slow', inner: { size: 10, sice: 1 } })
    expect(problems.map(({ path }) => path)).toEqual(['name', 'often', 'loud', 'mode', 'inner.sice', 'inner.size'])
  })

  test('when a name is misspelt, the nearest option is suggested', () => {
    expect(SET.check({ nam: 'n', name: 'n' })).toEqual([
      {
        path: 'nam',
        message: 'unknown option; known are name, often, loud, mode, inner',
        hint: 'did you mean "name"?',
      },
    ])
  })

  test('when options are wrong together only, the rule reports it', () => {
    expect(SET.check({ name: 'n', loud: true, mode: 'safe' })).toEqual([
      { path: 'mode', message: 'cannot be safe and loud' },
    ])
  })

  test('when options with a mistake are read, reading throws the first mistake', () => {
    expect(() => SET.read({})).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID', message: 'name: is required: a name' }),
    )
  })

  test('when a name is inherited by every object, it is an unknown option', () => {
    expect(SET.check({ name: 'n', constructor: 1 }).map(({ path }) => path)).toEqual(['constructor'])
  })
})

test('the default of every option of every connector is a value that the option accepts', () => {
  const wrong: string[] = []
  const checkDefaults = (table: OptionDescriptions): void => {
    for (const [name, { default: value, type }] of Object.entries(table)) {
      if ('read' in type && value !== undefined)
        (type as { read: (value: unknown, report: () => void) => unknown }).read(value, () => wrong.push(name))
      checkDefaults(type.fields ?? {})
    }
  }
  for (const { declaration } of builtinConnectors.entries)
    for (const role of [declaration.source, declaration.sink, declaration.deadLetters])
      if (role !== undefined) checkDefaults(role.options.table)
  expect(wrong).toEqual([])
})

test.each([
  ['folder', [{ path: '', file: 'folder', as: 'file' }]],
  ['file:///data/table', [{ path: '', file: '/data/table', as: 'file' }]],
  ['s3://bucket/table', []],
])('a storage at %s opens these files of the pod: %j', (place, opened) => {
  const problems: string[] = []
  expect(storagePath.read(place, (_path, message) => problems.push(message))).toBe(place)
  expect(storagePath.opens?.(place)).toEqual(opened)
  expect(problems).toEqual([])
})

test.each(['file://host/table', 'file:///a%2Fb', 'file:///a%00'])(
  'the storage %s is refused where it is written',
  (place) => {
    const problems: string[] = []
    expect(storagePath.read(place, (_path, message) => problems.push(message))).toBeUndefined()
    expect(problems).toEqual([`${JSON.stringify(place)} names no folder of this machine`])
  },
)

test.each(['s3://bucket/letters', 'hdfs://node:9870/letters', 'https://u:canary-5e1f@host/x'])(
  'a file of the pod that is given as %s is refused, and a password in it not shown',
  (path) => {
    for (const options of [fileLetters.deadLetters?.options, webhook.source?.options]) {
      const written = options === webhook.source?.options ? { port: 8080, log: { path } } : { path }
      const problems = options?.check(written) ?? []
      expect(problems).toEqual([
        expect.objectContaining({ message: expect.stringContaining('must be a path of a file or folder') as unknown }),
      ])
      expect(JSON.stringify(problems)).not.toContain('canary')
    }
  },
)
