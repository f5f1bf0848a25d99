import { describe, expect, test } from 'vitest'
import { evaluateJsonPath } from '../../../embedded/json-path.ts'
import { humanDuration } from '../../../embedded/table.ts'

describe('printer columns', () => {
  const object = {
    spec: { replicas: 2 },
    metadata: { labels: { 'millrace.dev/job': 'j' } },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Stalled', status: 'False' },
      ],
    },
  }

  test.each([
    ['.spec.replicas', [2]],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    ['.status.conditions[*].type', ['Ready', 'Stalled']],
    ['.status.conditions[1].type', ['Stalled']],
    ['.spec.none', []],
    ["['spec'].replicas", [2]],
    ['.metadata.labels.millrace\\.dev/job', ['j']],
    ['.broken[', []],
  ])('the path %s finds what it says', (path, expected) => {
    expect(evaluateJsonPath(object, path)).toEqual(expected)
  })

  test.each([
    [59, '59s'],
    [119, '119s'],
    [150, '2m30s'],
    [600, '10m'],
    [10_799, '179m'],
    [10_800, '3h'],
    [12_000, '3h20m'],
    [93_600, '26h'],
    [172_800 + 14_400, '2d4h'],
    [86_400 * 400, '400d'],
  ])('an age of %d s is written %s', (seconds, expected) => {
    expect(humanDuration(seconds * 1000)).toBe(expected)
  })
})
