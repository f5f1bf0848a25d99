import { describe, expect, test } from 'vitest'
import { readCoordinatorSettings } from '../../../runtime/config.ts'

const PRESENT = 'the key of a platform team, which is long'
const EARLIER = 'the key of last year, which is as long as that'

const signingOf = (env: Readonly<Record<string, string>>): unknown =>
  readCoordinatorSettings({ ...env }, '127.0.0.1').signing

describe('the keys that a coordinator signs with', () => {
  test('are none when the environment has none', () => {
    expect(signingOf({})).toBeUndefined()
  })

  test('are the lines of the Secret, the present one first, and unsigned files are refused unless it is said', () => {
    expect(signingOf({ MILLRACE_SIGNING_KEYS: `${PRESENT}\r\n\n${EARLIER}\n` })).toEqual({
      keys: [PRESENT, EARLIER],
      unsigned: 'refuse',
    })
    expect(signingOf({ MILLRACE_SIGNING_KEYS: PRESENT, MILLRACE_UNSIGNED: 'accept' })).toEqual({
      keys: [PRESENT],
      unsigned: 'accept',
    })
  })

  test.each([
    ['without a key', { MILLRACE_SIGNING_KEYS: ' \n' }, 'a key of 0 characters'],
    ['with a short key', { MILLRACE_SIGNING_KEYS: `${PRESENT}\nsecret` }, 'a key of 6 characters'],
    ['with another choice', { MILLRACE_SIGNING_KEYS: PRESENT, MILLRACE_UNSIGNED: 'yes' }, 'MILLRACE_UNSIGNED is "yes"'],
  ])('%s are an error that shows no key', (_, env, message) => {
    const read = (): unknown => signingOf(env)
    expect(read).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) }))
    expect(read).not.toThrow('secret')
  })
})
