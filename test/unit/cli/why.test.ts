import { expect, test } from 'vitest'
import { why } from '../../../cli/why.ts'
import { OperatorWorld, REF } from '../../harness/operator-world.ts'

async function asked(world: OperatorWorld, name: string, output: 'text' | 'json') {
  const told = { out: '', err: '' }
  const io = {
    out: (text: string) => {
      told.out += text
    },
    err: (text: string) => {
      told.err += text
    },
  }
  return { code: await why(world.kube, { name, namespace: REF.namespace, output }, io), ...told }
}

test('when a job runs, it is said how it is and what was decided', async () => {
  const world = new OperatorWorld()
  await world.create()
  await world.untilRunning()
  const { code, out } = await asked(world, REF.name, 'text')
  expect(code).toBe(0)
  expect(out).toMatch(/^shop\/counts is Running\. 4 workers run\.\n/)
  expect(out).toContain('    did  nothing\n    why  Running: 4 workers run.\n')
  const { decisions } = JSON.parse((await asked(world, REF.name, 'json')).out) as { decisions: unknown }
  expect(decisions).toEqual(world.job()?.status?.decisions)
})

test('when no operator has seen the job, that is said', async () => {
  const world = new OperatorWorld()
  await world.create()
  expect((await asked(world, REF.name, 'text')).out).toContain('The operator has decided nothing over it yet.')
})

test('when there is no such job, the namespace is named', async () => {
  expect(await asked(new OperatorWorld(), 'other', 'text')).toEqual({
    code: 1,
    out: '',
    err: 'There is no StreamJob other in the namespace shop. Name another one with -n.\n',
  })
})
