import { parse } from 'acorn'
import { expect, test } from 'vitest'
import { explain } from '../../../cli/explain.ts'
import { explainConnector } from '../../../cli/explain-connector.ts'
import { builtinConnectors } from '../../../runtime/builtin-connectors.ts'

async function explained(
  file: string,
  output: 'text' | 'json',
  show: 'plan' | 'code' = 'plan',
): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' }
  const code = await explain(file, { output, show }, builtinConnectors, {
    out: (text) => {
      written.out += text
    },
    err: (text) => {
      written.err += text
    },
  })
  return { code, ...written }
}

test('a job is shown as its chains and what travels between them', async () => {
  const { code, out } = await explained('examples/flights.yaml', 'text')
  expect(code).toBe(0)
  expect(out).toMatch(/^2 chains, \d+ subtasks, 128 key groups\n/)
  expect(out).toContain('hash(origin)')
})

test('for programs it is one JSON value with the columns of every exchange', async () => {
  const { exchanges } = JSON.parse((await explained('examples/flights.yaml', 'json')).out) as {
    exchanges: { columns: string[] }[]
  }
  expect(exchanges[0]?.columns).toContain('origin')
})

test('with --code the JavaScript of each operator is shown under its heading', async () => {
  const { code, out } = await explained('examples/flights.yaml', 'text', 'code')
  expect(code).toBe(0)
  const headings = out.split('\n').filter((line) => line.startsWith('// ====='))
  expect(headings).toContain('// ===== delays-by-airport =====')
  expect(out).toContain('function add(rows, count, passed, host, late, onError) {')
})

test('with --code every unit of a job parses as JavaScript', async () => {
  const code = JSON.parse((await explained('examples/flights.yaml', 'json', 'code')).out) as {
    operator: string
    units: { shape: string; source: string }[]
  }[]
  expect(code.length).toBeGreaterThan(2)
  for (const { source } of code.flatMap(({ units }) => units))
    expect(() => parse(source, { ecmaVersion: 'latest', allowReturnOutsideFunction: true })).not.toThrow()
})

function explainedConnector(name: string, output: 'text' | 'json'): { code: number; out: string; err: string } {
  const written = { out: '', err: '' }
  const code = explainConnector(name, output, builtinConnectors, {
    out: (text) => {
      written.out += text
    },
    err: (text) => {
      written.err += text
    },
  })
  return { code, ...written }
}

test('the options of a connector are shown by role, those of mappings with their path', () => {
  const { code, out } = explainedConnector('kafka', 'text')
  expect(code).toBe(0)
  expect(out).toContain('Sink: sink: { kafka: … }')
  expect(out).toContain('sasl.passwordFile: text (secret)')
})

test('for programs the options of a connector are one JSON value', () => {
  const { roles } = JSON.parse(explainedConnector('file', 'json').out) as { roles: { role: string }[] }
  expect(roles.map(({ role }) => role)).toEqual(['Source', 'Sink', 'Dead letters'])
})

test('a misspelt connector is an error that names the one that was meant', () => {
  expect(explainedConnector('kafak', 'text')).toEqual({
    code: 2,
    out: '',
    err: 'millrace explain connector: there is no connector "kafak"; did you mean "kafka"?\n',
  })
})
