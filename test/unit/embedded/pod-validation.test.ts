import { describe, expect, test } from 'vitest'
import { podSpecErrors } from '../../../embedded/pod-validation.ts'
import type { JsonObject, KubeObject } from '../../../embedded/objects.ts'

const pod = (spec: JsonObject, container: JsonObject): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'x' },
  spec: { ...spec, containers: [{ name: 'millrace', image: 'millrace:1', ...container }] },
})

describe('the fields of a new pod', () => {
  test.each([
    ['a container name with capitals', {}, { name: 'Mill' }, 'spec.containers[0].name'],
    ['no image', {}, { image: '' }, 'spec.containers[0].image'],
    ['an image with a space at its end', {}, { image: 'millrace:1 ' }, 'spec.containers[0].image'],
    ['a selector that is no label', { nodeSelector: { a: 'b c' } }, {}, 'spec.nodeSelector'],
    ['a subdomain with a dot', { subdomain: 'a.b' }, {}, 'spec.subdomain'],
    ['a volume without a name', { volumes: [{ emptyDir: {} }] }, {}, 'spec.volumes[0].name'],
    [
      'a mount of a volume that is not there',
      {},
      { volumeMounts: [{ name: 'a', mountPath: '/a' }] },
      'spec.containers[0].volumeMounts[0].name',
    ],
    [
      'requests above the limit',
      {},
      { resources: { requests: { cpu: '1500m' }, limits: { cpu: '1' } } },
      'spec.containers[0].resources.requests',
    ],
  ])('with %s are refused where it stands', (_, spec, container, field) => {
    expect(podSpecErrors(pod(spec, container)).map((error) => error.field)).toEqual([field])
  })

  test('with a quantity that cannot be read are refused as a request that cannot be read', () => {
    for (const cpu of ['lots', '1 core', '', 'm'])
      expect(() => podSpecErrors(pod({}, { resources: { requests: { cpu } } }))).toThrow(/quantities must match/)
  })

  test('with quantities of every form are taken', () => {
    const limits = Object.fromEntries(
      ['1', '0.5', '100m', '128Mi', '1e3', '1E', '2E6', '.5', '3k'].map((quantity, index) => [`x${index}`, quantity]),
    )
    expect(podSpecErrors(pod({}, { resources: { requests: { x2: '0.1' }, limits } }))).toEqual([])
  })
})
