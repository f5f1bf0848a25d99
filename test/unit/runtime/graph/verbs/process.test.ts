import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import { entryOutput, entryProblems, hasEventTime, specProblems } from './entry-problems.ts'
import { CHECKS } from '../../plan/sample-job.ts'

const FORM = { module: 'user', function: 'f', output: { id: 'long', at: 'timestamp' } }

describe('process', () => {
  test('what it declares comes out, and event time with it', () => {
    expect(entryOutput({ process: FORM })).toEqual(['id: long', 'at: timestamp'])
    expect(hasEventTime({ keyBy: 'name', process: FORM })).toBe(true)
  })

  test('its tables are read with key, time to live and the fields of their rows', () => {
    const spec = {
      modules: { user: { path: './f.ts' } },
      graph: [
        { id: 'in', source: { kafka: { topic: 't' } }, schema: { id: 'long' } },
        {
          id: 'op',
          from: 'in',
          keyBy: 'id',
          process: {
            ...FORM,
            state: {
              last: { value: { n: 'long' } },
              seen: { list: { n: 'long' }, ttl: '1h' },
              by: { map: { n: 'long' }, key: { k: 'string' } },
            },
            sideOutputs: { late: { n: 'long' } },
          },
        },
        { id: 'out', from: 'op', sink: 'console' },
        { id: 'side', from: 'op.late', sink: 'console' },
      ],
    }
    const validation = validateJob(spec, CHECKS)
    const n = { fields: [{ name: 'n', type: 'long', nullable: false }] }
    expect('graph' in validation && validation.graph.operators[1]).toMatchObject({
      keyBy: ['id'],
      sideOutputs: { late: n },
      verb: {
        kind: 'process',
        state: {
          last: { kind: 'value', schema: n },
          seen: { kind: 'list', schema: n, ttlMs: 3_600_000 },
          by: { kind: 'map', schema: n, userKey: [{ name: 'k', type: 'string', nullable: false }] },
        },
      },
    })
  })

  test('a state that is mirrored is a side output with its key, its values that may be null, and deleted', () => {
    const spec = {
      modules: { user: { path: './f.ts' } },
      graph: [
        { id: 'in', source: { kafka: { topic: 't' } }, schema: { id: 'long' } },
        {
          id: 'op',
          from: 'in',
          keyBy: 'id',
          process: { ...FORM, state: { by: { map: { n: 'long' }, key: { k: 'string' } } }, stateMirror: ['by'] },
        },
        { id: 'out', from: 'op', sink: 'console' },
        { id: 'mirror', from: 'op.by', sink: 'console' },
      ],
    }
    const validation = validateJob(spec, CHECKS)
    expect('graph' in validation && validation.graph.operators[1]).toMatchObject({
      verb: { stateMirror: ['by'] },
      sideOutputs: {
        by: {
          fields: [
            { name: 'id', type: 'long', nullable: false },
            { name: 'k', type: 'string', nullable: false },
            { name: 'n', type: 'long', nullable: true },
            { name: 'deleted', type: 'boolean', nullable: false },
          ],
        },
      },
    })
  })

  test.each([
    [
      'a mirror that is no list',
      { keyBy: 'id', process: { ...FORM, state: { n: { value: { n: 'long' } } }, stateMirror: 'n' } },
      'OPTION_INVALID process.stateMirror: "n" is not a list of states',
    ],
    [
      'a mirror of a state that is not there',
      { keyBy: 'id', process: { ...FORM, state: { total: { value: { n: 'long' } } }, stateMirror: ['totl'] } },
      'STATE_INVALID process.stateMirror[0]: there is no state "totl"',
    ],
    [
      'a mirror of a list',
      { keyBy: 'id', process: { ...FORM, state: { n: { list: { n: 'long' } } }, stateMirror: ['n'] } },
      'STATE_INVALID process.stateMirror[0]: "n" is a list, whose rows have no key in a table',
    ],
    [
      'a mirror that is named twice',
      { keyBy: 'id', process: { ...FORM, state: { n: { value: { n: 'long' } } }, stateMirror: ['n', 'n'] } },
      'STATE_INVALID process.stateMirror[1]: "n" is named twice',
    ],
    [
      'a mirror with the name of a side output',
      {
        keyBy: 'id',
        process: {
          ...FORM,
          state: { n: { value: { n: 'long' } } },
          sideOutputs: { n: { n: 'long' } },
          stateMirror: ['n'],
        },
      },
      'STATE_INVALID process.stateMirror[0]: the changes of "n" come out of a side output of that name, and there is one',
    ],
    [
      'a mirror with a field of the key in the state',
      { keyBy: 'id', process: { ...FORM, state: { n: { value: { id: 'long' } } }, stateMirror: ['n'] } },
      'DUPLICATE_FIELD process.stateMirror[0]: a mirror of "n" would have two fields "id": of the key and of the state',
    ],
    [
      'a mirror of a state with a field deleted',
      { keyBy: 'id', process: { ...FORM, state: { n: { value: { deleted: 'long' } } }, stateMirror: ['n'] } },
      'DUPLICATE_FIELD process.stateMirror[0]: a mirror of "n" says in "deleted" whether an entry is gone, and the state has a field of that name',
    ],
    [
      'no output',
      { keyBy: 'id', process: { module: 'user', function: 'f' } },
      'SCHEMA_MISSING process: does not say which rows come out',
    ],
    [
      'state without a key',
      { process: { ...FORM, state: { last: { value: { n: 'long' } } } } },
      'KEY_MISSING spec.graph[1]: state is kept under a key; add keyBy',
    ],
    [
      'a state that holds nothing',
      { keyBy: 'id', process: { ...FORM, state: { last: {} } } },
      'STATE_INVALID process.state.last: holds nothing',
    ],
    [
      'a state that is two things',
      { keyBy: 'id', process: { ...FORM, state: { last: { value: { n: 'long' }, list: { n: 'long' } } } } },
      'STATE_INVALID process.state.last: is value and list at once',
    ],
    [
      'a map without key',
      { keyBy: 'id', process: { ...FORM, state: { last: { map: { n: 'long' } } } } },
      'TYPE_MISMATCH process.state.last.key: must be a mapping, not nothing',
    ],
    [
      'a map keyed by json',
      { keyBy: 'id', process: { ...FORM, state: { last: { map: { n: 'long' }, key: { j: 'json' } } } } },
      'TYPE_MISMATCH process.state.last.key.j: "j" is json, which has no equality',
    ],
    [
      'a time to live of nothing',
      { keyBy: 'id', process: { ...FORM, state: { last: { value: { n: 'long' }, ttl: '0s' } } } },
      'DURATION_INVALID process.state.last.ttl: "0s" keeps nothing',
    ],
    [
      'a name that is not an identifier',
      { keyBy: 'id', process: { ...FORM, state: { 'a b': { value: { n: 'long' } } } } },
      'FIELD_NAME_INVALID process.state["a b"]',
    ],
    [
      'a key that is not a field',
      { keyBy: 'idd', process: FORM },
      'UNKNOWN_FIELD keyBy: there is no field "idd"; did you mean "id"?',
    ],
    [
      'an unknown option',
      { process: { ...FORM, onTimer: 'g' } },
      'UNKNOWN_FIELD process.onTimer: unknown field "onTimer"',
    ],
    [
      'a side output of no name',
      { process: { ...FORM, sideOutputs: { 'a.b': { n: 'long' } } } },
      'ID_INVALID process.sideOutputs["a.b"]',
    ],
  ])('with %s it is refused', (_what, entry, problem) => {
    expect(entryProblems(entry).map((found) => found.slice(0, problem.length))).toEqual([problem])
  })
})

describe('modules', () => {
  const spec = (modules: unknown) => ({
    modules,
    graph: [
      { id: 'in', source: { kafka: { topic: 't' } }, schema: { id: 'long' } },
      { id: 'out', from: 'in', sink: 'console' },
    ],
  })

  test.each([
    [{ a: { path: './f.ts' }, b: { configMap: 'fs', key: 'f.mjs' }, c: { image: '/app/f.mjs' } }, []],
    [
      { A: { path: './f.ts' } },
      [
        'ID_INVALID spec.modules.A: "A" cannot be a module\'s name; at most 32 of a-z, 0-9 and -, a letter first, no - at the end',
      ],
    ],
    [
      { a: {} },
      [
        'MODULE_INVALID spec.modules.a: has no place; write { path: ./functions.ts }, { configMap: NAME, key: functions.mjs } or { image: /app/functions.mjs }',
      ],
    ],
    [
      { a: { path: './f.ts', image: '/f.mjs' } },
      [
        'MODULE_INVALID spec.modules.a: has several places: path and image; write { path: ./functions.ts }, { configMap: NAME, key: functions.mjs } or { image: /app/functions.mjs }',
      ],
    ],
    [{ a: { configMap: 'fs' } }, ['TYPE_MISMATCH spec.modules.a.key: must be a text, not nothing']],
    [{ a: { configMap: 'FS', key: 'f.mjs' } }, ['MODULE_INVALID spec.modules.a.configMap: "FS" cannot be a ConfigMap']],
    [
      { a: { configMap: 'fs', key: '../f.mjs' } },
      ['MODULE_INVALID spec.modules.a.key: "../f.mjs" cannot be a key of a ConfigMap'],
    ],
    [
      { a: { image: 'f.mjs' } },
      [
        'MODULE_INVALID spec.modules.a.image: "f.mjs" is not an absolute path; it names a file inside the image: /app/functions.mjs',
      ],
    ],
    [
      { a: { path: './f.py' } },
      ['MODULE_INVALID spec.modules.a.path: "./f.py" is not a module; its name ends in .mjs, .js, .ts or .mts'],
    ],
  ])('%j gives %j', (modules, problems) => {
    expect(specProblems(spec(modules))).toEqual(problems)
  })
})
