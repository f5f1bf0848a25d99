import { expect, test } from 'vitest'
import { explain } from '../../../cli/explain.ts'
import { builtinConnectors } from '../../../runtime/builtin-connectors.ts'

async function explained(file: string, output: 'text' | 'json'): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' }
  const code = await explain(file, output, builtinConnectors, {
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
