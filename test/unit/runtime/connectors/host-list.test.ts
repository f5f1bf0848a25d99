import { expect, test } from 'vitest'
import { hostList } from '../../../../runtime/connectors/kit/host-list.ts'

function problemsOf(value: unknown): string[] {
  const problems: string[] = []
  hostList.read(value, (_, message) => problems.push(message))
  return problems
}

test.each([['[::1]:9042'], ['a:1,b:2'], [['[::ffff:10.0.0.1]:9042', 'cassandra-0.cassandra:9042']]])(
  '%j are servers',
  (value) => {
    expect(problemsOf(value)).toEqual([])
  },
)

test.each(['::1:9042', '[::1]', '[:::::]:9042', '[1:2]:9042', 'a', 'a:0', 'a:65536', 'a b:1', ''])(
  '%j is no server',
  (value) => {
    expect(problemsOf(value)).toHaveLength(1)
  },
)
