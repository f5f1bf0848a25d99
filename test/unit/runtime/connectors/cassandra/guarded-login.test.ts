import { errors } from 'cassandra-driver'
import { expect, test } from 'vitest'
import { addressesOf } from '../../../../../runtime/connectors/cassandra/real/addresses.ts'
import { GuardedLogin } from '../../../../../runtime/connectors/cassandra/real/guarded-login.ts'
import { asMillraceError } from '../../../../../runtime/connectors/cassandra/real/errors.ts'
import { MillraceError } from '../../../../../runtime/model/errors.ts'
import { isAllowedHost } from '../../../../../runtime/model/allowed-hosts.ts'

function answerAt(
  endpoint: string,
  allowed: readonly string[],
  named: readonly string[] = ['10.0.0.1:9042'],
): { error?: string; token?: string } {
  const login = {
    username: 'u',
    password: 'secret',
    mayGoTo: (address: string) => isAllowedHost(allowed, address),
  }
  let answer: { error?: string; token?: string } = {}
  new GuardedLogin(login, named)
    .newAuthenticator(endpoint, 'PasswordAuthenticator')
    .initialResponse((error: Error | null, token?: Buffer) => {
      answer = error === null ? { token: String(token) } : { error: error.message }
    })
  return answer
}

test('the password goes to a server that the job names', () => {
  expect(answerAt('10.0.0.1:9042', ['cassandra.prod'])).toEqual({ token: '\0u\0secret' })
})

test('the password goes to a node that the cluster names only where the Secret allows it', () => {
  expect(answerAt('10.0.0.2:9042', ['10.0.0.2'])).toEqual({ token: '\0u\0secret' })
  expect(answerAt('6.6.6.6:9042', ['10.0.0.2'])).toEqual({ error: 'the password may not be sent to 6.6.6.6:9042' })
})

test('a server of IPv6 is known by its address however the job, the Secret or the driver write it', () => {
  const named = ['[2001:db8:0::1]:9042']
  expect(answerAt('2001:db8::1:9042', ['cassandra.prod'], named)).toEqual({ token: '\0u\0secret' })
  expect(answerAt('2001:db8::2:9042', ['[2001:db8::2]'], named)).toEqual({ token: '\0u\0secret' })
  expect(answerAt('2001:db8::3:9042', ['[2001:db8::2]'], named)).toEqual({
    error: 'the password may not be sent to [2001:db8::3]:9042',
  })
})

test('that the password may not be sent is told as it is, not as a server that cannot be reached', () => {
  const refusal = new MillraceError('SECRET_HOST_FORBIDDEN', 'the password may not be sent to 6.6.6.6:9042')
  const error = new errors.NoHostAvailableError({ '6.6.6.6:9042': refusal })
  expect(asMillraceError('cassandra:9042', error)).toBe(refusal)
})

test.each([
  ['127.0.0.1:9042', ['127.0.0.1:9042']],
  ['[0:0::1]:9042', ['[::1]:9042']],
  ['[::1]:9042', ['[::1]:9042']],
])('the address %s stays as it is', async (server, addresses) => {
  expect(await addressesOf(server)).toEqual(addresses)
})

test('a name becomes the addresses that it has', async () => {
  expect(await addressesOf('localhost:9042')).toContain('127.0.0.1:9042')
})
