import { describe, expect, test } from 'vitest'
import {
  decideLookup,
  factoryOf,
  leftLookups,
  lookupHash,
  ownerOfLookup,
  versionAfter,
  wantedLookups,
  type Lookup,
} from '../../../../operator/druid/lookups.ts'

const OWNER = 'shop/clicks'
const wanted: Lookup = { name: 'countries', tier: '__default', map: { DE: 'Germany' } }
const other = { type: 'map', map: { DE: 'Deutschland' } }
const set = { name: 'lookup __default/countries', hash: lookupHash(wanted) }
const live = (version: string, factory: object = factoryOf(wanted)) => ({ version, factory: factory as never })
const ours = versionAfter(undefined, OWNER)

describe('the version of a lookup', () => {
  test('is greater than the one before, whoever has made that, and names its owner', () => {
    let version: string | undefined
    for (let n = 0; n < 12; n++) {
      const next = versionAfter(version, OWNER)
      if (version !== undefined) expect(next > version).toBe(true)
      expect(ownerOfLookup(next)).toBe(OWNER)
      version = next
    }
    for (const before of ['v1', 'zzz', '2026-01-01T00:00:00.000Z', versionAfter('v9', 'a/b')]) {
      expect(versionAfter(before, OWNER) > before || ownerOfLookup(before) === 'a/b').toBe(true)
      expect(ownerOfLookup(versionAfter(before, OWNER))).toBe(OWNER)
    }
    expect(versionAfter(versionAfter('v1', OWNER), OWNER)).toBe('v1~millrace-000000000002-shop/clicks')
    expect(ownerOfLookup('v1')).toBeUndefined()
  })
})

describe('a lookup', () => {
  const decided = (
    seen: ReturnType<typeof live> | undefined,
    known = undefined as typeof set | undefined,
    policies: Parameters<typeof decideLookup>[2]['policies'] = {},
  ) => decideLookup(wanted, seen, { known, owner: OWNER, policies })

  test('is made where there is none, and left alone where it is as wanted', () => {
    expect(decided(undefined)).toEqual({ act: 'write', isDrift: false })
    expect(decided(live(ours), set)).toEqual({ act: 'nothing', isDrift: false })
  })

  test('that others changed or removed is corrected, reported or left, as driftPolicy says', () => {
    for (const seen of [undefined, live(ours, other), live('v7', other)]) {
      expect(decided(seen, set)).toEqual({ act: 'write', isDrift: true })
      expect(decided(seen, set, { driftPolicy: 'Warn' })).toEqual({ act: 'nothing', isDrift: true })
      expect(decided(seen, set, { driftPolicy: 'Ignore' })).toEqual({ act: 'nothing', isDrift: false })
    }
    expect(decided(live(ours, other), { ...set, hash: 'before' }, { driftPolicy: 'Ignore' })).toEqual({
      act: 'write',
      isDrift: false,
    })
  })

  test('of another resource is never touched', () => {
    const theirs = live(versionAfter(undefined, 'shop/other'))
    for (const adoption of ['Always', 'IfEqual', 'Never'] as const)
      expect(decided(theirs, undefined, { adoption })).toEqual({
        act: 'refuse',
        message: 'it belongs to the DruidDatasource shop/other, not to shop/clicks',
      })
  })

  test('that was there already is taken over as adoption says', () => {
    expect(decided(live('v1'))).toEqual({ act: 'write', isDrift: false })
    expect(decided(live('v1', other))).toMatchObject({ act: 'refuse' })
    expect(decided(live('v1', other), undefined, { adoption: 'Always' })).toEqual({ act: 'write', isDrift: false })
    expect(decided(live('v1'), undefined, { adoption: 'Never' })).toMatchObject({ act: 'refuse' })
  })

  test('that the resource no longer names is told by the status', () => {
    const known = [set, { name: 'lookup hot/a.b', hash: 'x' }, { name: 'retention', hash: 'y' }]
    expect(leftLookups(known, wantedLookups({ lookups: [{ name: 'countries', map: {} }] }))).toEqual([
      { tier: 'hot', name: 'a.b' },
    ])
  })
})
