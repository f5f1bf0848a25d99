import { expect, test } from 'vitest'
import { addressesOf } from '../../../../../runtime/connectors/cassandra/real/addresses.ts'
import { GuardedLogin } from '../../../../../runtime/connectors/cassandra/real/guarded-login.ts'
import { isAllowedHost } from '../../../../../runtime/model/allowed-hosts.ts'

function answerAt(endpoint: string, allowed: readonly string[]): { error?: string; token?: string } {
  const login = {
    username: 'u',
    password: 'secret',
    mayGoTo: (address: string) => isAllowedHost(allowed, address),
  }
  let answer: { error?: string; token?: string } = {}
  new GuardedLogin(login, ['10.0.0.1:9042'])
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

test.each([
  ['127.0.0.1:9042', ['127.0.0.1:9042']],
  ['[::1]:9042', ['[::1]:9042']],
])('the address %s stays as it is', async (server, addresses) => {
  expect(await addressesOf(server)).toEqual(addresses)
})

test('a name becomes the addresses that it has', async () => {
  expect(await addressesOf('localhost:9042')).toContain('127.0.0.1:9042')
})
