import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../embedded/objects.ts'
import { parseFieldSelector, parseLabelSelector } from '../../../embedded/selectors.ts'

const object = (labels: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a', labels },
  status: { phase: 'Running' },
})

describe('label selectors', () => {
  test.each([
    ['app=x', true],
    ['app==x', true],
    ['app!=x', false],
    ['other!=x', true],
    ['app in (x, y)', true],
    ['app notin (x,y)', false],
    ['other notin (x)', true],
    ['app', true],
    ['!app', false],
    ['!other', true],
    ['app=x,tier in (a,b)', true],
    ['app=x,tier=c', false],
    ['', true],
    ['millrace.dev/job=j', true],
    ['constructor', false],
  ])('%s matches as the API says', (selector, expected) => {
    expect(parseLabelSelector(selector)(object({ app: 'x', tier: 'a', 'millrace.dev/job': 'j' }))).toBe(expected)
  })

  test('what cannot be read is refused with 400', () => {
    expect(() => parseLabelSelector('a in x')).toThrow(/unable to parse requirement/)
  })
})

describe('field selectors', () => {
  test.each([
    ['metadata.name=a', true],
    ['metadata.name!=a', false],
    ['status.phase=Running,metadata.name=a', true],
    ['spec.nodeName=', true],
    ['spec.nodeName!=', false],
  ])('%s matches, and a missing field is empty', (selector, expected) => {
    expect(parseFieldSelector(selector)(object({}))).toBe(expected)
  })
})
