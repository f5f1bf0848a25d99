import { describe, expect, test } from 'vitest'
import { declaration } from '../../../../../runtime/connectors/kafka/declaration.ts'

function problems(options: object): string[] {
  const check = declaration.source?.options.check({ brokers: 'kafka:9092', topic: 'in', ...options }) ?? []
  return check.map(({ path, message }) => `${path}: ${message}`)
}

describe('the login of a Kafka connection', () => {
  test.each(['plain', 'scram-sha-256', 'scram-sha-512'])('by %s needs user and password, and no token', (mechanism) => {
    expect(problems({ tls: true, sasl: { mechanism } })).toEqual([
      `sasl.username: is required with mechanism: ${mechanism}`,
      `sasl.passwordFile: is required with mechanism: ${mechanism}`,
    ])
    const login = { mechanism, username: 'u', passwordFile: '/secrets/kafka/password' }
    expect(problems({ tls: true, sasl: login })).toEqual([])
    expect(problems({ tls: true, sasl: { ...login, tokenFile: '/secrets/kafka/token' } })).toEqual([
      `sasl.tokenFile: has no meaning with mechanism: ${mechanism}`,
    ])
  })

  test('by oauthbearer needs a token, and neither user nor password', () => {
    expect(problems({ tls: true, sasl: { mechanism: 'oauthbearer', username: 'u' } })).toEqual([
      'sasl.username: has no meaning with mechanism: oauthbearer',
      'sasl: needs either tokenFile or tokenEndpoint with mechanism: oauthbearer',
    ])
    const tokenEndpoint = { url: 'https://login/token', clientId: 'c', clientSecretFile: '/secrets/client' }
    expect(problems({ tls: true, sasl: { mechanism: 'oauthbearer', tokenEndpoint } })).toEqual([])
    expect(problems({ tls: true, sasl: { mechanism: 'oauthbearer', tokenEndpoint, tokenFile: '/t' } })).toHaveLength(1)
    const open = { ...tokenEndpoint, url: 'http://login/token' }
    expect(problems({ tls: true, sasl: { mechanism: 'oauthbearer', tokenEndpoint: open } })).toEqual([
      'sasl.tokenEndpoint.url: is http: the secret of the client would travel as it is',
    ])
    expect(problems({ tls: true, sasl: { mechanism: 'oauthbearer', tokenFile: '/secrets/token' } })).toEqual([])
  })

  test('sends no password and no token without TLS, but to the same machine or where the author says so', () => {
    const sasl = { mechanism: 'oauthbearer', tokenFile: '/secrets/token' }
    expect(problems({ sasl })).toEqual([
      'sasl.mechanism: is oauthbearer and tls is false: the token would travel as it is',
    ])
    expect(problems({ sasl: { ...sasl, insecure: true } })).toEqual([])
    expect(problems({ sasl, brokers: 'localhost:9092' })).toEqual([])
  })

  test('names the file of its token, so that the operator can check it', () => {
    const options = { brokers: 'k:1', topic: 't', sasl: { mechanism: 'oauthbearer', tokenFile: '/secrets/token' } }
    expect(declaration.source?.options.opens?.(options)).toEqual([
      { path: 'sasl.tokenFile', file: '/secrets/token', as: 'secret' },
    ])
  })
})
