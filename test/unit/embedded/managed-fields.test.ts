import { describe, expect, test } from 'vitest'
import { applyConfiguration, trackUpdate } from '../../../embedded/managed-fields.ts'
import type { KubeObject } from '../../../embedded/objects.ts'
import type { Schema } from '../../../embedded/schema.ts'

const schema: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        replicas: { type: 'integer' },
        mode: { type: 'string' },
        items: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['id'],
          items: { type: 'object', properties: { id: { type: 'string' }, weight: { type: 'integer' } } },
        },
      },
    },
  },
}
const manager = (name: string) => ({ name, apiVersion: 'sample.dev/v1', now: '2026-01-01T00:00:00Z' })
const mill = (spec: KubeObject['spec']): KubeObject => ({
  apiVersion: 'sample.dev/v1',
  kind: 'Mill',
  metadata: { name: 'a' },
  spec,
})

describe('server-side apply', () => {
  test('two managers own different fields and items, and each takes away only its own', () => {
    const first = applyConfiguration(
      undefined,
      mill({ replicas: 1, items: [{ id: 'x', weight: 1 }] }),
      schema,
      manager('one'),
      'refuse',
    )
    const both = applyConfiguration(
      first,
      mill({ mode: 'fast', items: [{ id: 'y' }] }),
      schema,
      manager('two'),
      'refuse',
    )
    expect(both['spec']).toEqual({ replicas: 1, mode: 'fast', items: [{ id: 'x', weight: 1 }, { id: 'y' }] })
    const less = applyConfiguration(both, mill({ replicas: 1 }), schema, manager('one'), 'refuse')
    expect(less['spec']).toEqual({ replicas: 1, mode: 'fast', items: [{ id: 'y' }] })
  })

  test('a field of another manager is a conflict unless its value is the same or force is given', () => {
    const first = applyConfiguration(undefined, mill({ replicas: 1 }), schema, manager('one'), 'refuse')
    expect(() => applyConfiguration(first, mill({ replicas: 2 }), schema, manager('two'), 'refuse')).toThrow(
      'conflict with "one" using sample.dev/v1: .spec.replicas',
    )
    expect(
      applyConfiguration(first, mill({ replicas: 1 }), schema, manager('two'), 'refuse').metadata.managedFields,
    ).toHaveLength(2)
    const forced = applyConfiguration(first, mill({ replicas: 2 }), schema, manager('two'), 'force')
    expect(forced.metadata.managedFields?.map((entry) => entry.manager)).toEqual(['two'])
  })

  test('a plain update takes the fields it changes away from those who applied them', () => {
    const first = applyConfiguration(undefined, mill({ replicas: 1, mode: 'slow' }), schema, manager('one'), 'refuse')
    const next: KubeObject = { ...first, spec: { replicas: 5, mode: 'slow' } }
    expect(
      trackUpdate(first, next, schema, manager('kubectl')).map(({ manager: name, fieldsV1 }) => [name, fieldsV1]),
    ).toEqual([
      ['one', { 'f:spec': { 'f:mode': {} } }],
      ['kubectl', { 'f:spec': { 'f:replicas': {} } }],
    ])
  })
})
