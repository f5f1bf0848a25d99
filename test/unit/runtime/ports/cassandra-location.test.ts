import { describe, expect, test } from 'vitest'
import { cassandraLocationOf } from '../../../../runtime/ports/cassandra-location.ts'
import { placeInStore } from '../../../../runtime/ports/store.ts'

describe('the URL of a store in Cassandra', () => {
  test('names nodes, a keyspace, a table and a folder', () => {
    expect(cassandraLocationOf('cassandra://one:9142,two,[::1]:9042/streams/state/a//b/')).toEqual({
      hosts: ['one:9142', 'two:9042', '[::1]:9042'],
      keyspace: 'streams',
      table: 'state',
      prefix: 'a/b/',
      datacenter: 'datacenter1',
      consistency: 'QUORUM',
      login: undefined,
      tls: undefined,
    })
  })

  test('has options for the datacenter, the login and TLS', () => {
    const url =
      'cassandra://one/k/t?datacenter=dc1&consistency=LOCAL_QUORUM&user=me&passwordFile=/secrets/p&tls=true&caFile=/c&certificateFile=/d&keyFile=/e'
    expect(cassandraLocationOf(url)).toMatchObject({
      datacenter: 'dc1',
      consistency: 'LOCAL_QUORUM',
      login: { username: 'me', passwordFile: '/secrets/p' },
      tls: { caFile: '/c', certificateFile: '/d', keyFile: '/e' },
    })
  })

  test.each([
    'cassandra://one/k/t?user=me&passwordFile=/p&tls=true',
    'cassandra://one/k/t?user=me&passwordFile=/p&insecure=true',
    'cassandra://127.0.0.1:9042/k/t?user=me&passwordFile=/p',
  ])('lets a login go over TLS, on this machine, and where somebody says so: %s', (url) => {
    expect(cassandraLocationOf(url).login).toEqual({ username: 'me', passwordFile: '/p' })
  })

  test.each(['cassandra://one/k/t', 'cassandra://one/k/t/jobs?tls=true'])(
    'with a folder of a job in it has the same options: %s',
    (url) => {
      const { prefix } = cassandraLocationOf(url)
      expect(cassandraLocationOf(placeInStore(url, 'ns/job/uid'))).toEqual({
        ...cassandraLocationOf(url),
        prefix: `${prefix}ns/job/uid/`,
      })
    },
  )

  test.each([
    ['cassandra://one', 'nodes and a keyspace and a table'],
    ['cassandra://one/k', 'nodes and a keyspace and a table'],
    ['cassandra://one//t', 'nodes and a keyspace and a table'],
    ['cassandra://me:secret@one/k/t', 'is not host:port'],
    [`cassandra://${'one,'.repeat(16)}one/k/t`, '17 nodes'],
    ['cassandra://one/k/t"; DROP', 'is no name'],
    [`cassandra://one/k/${'t'.repeat(49)}`, 'at most 48'],
    ['cassandra://one/k/t/../x', '. or ..'],
    ['cassandra://one/k/t?consistency=ONE', 'it is QUORUM or LOCAL_QUORUM'],
    ['cassandra://one/k/t?password=x', 'option "password"'],
    ['cassandra://one/k/t?user=me', 'user and passwordFile are a pair'],
    ['cassandra://one/k/t?user=me&passwordFile=/p', 'in plain text'],
    ['cassandra://one/k/t?tls=true&certificateFile=/c', 'certificateFile and keyFile are a pair'],
    ['cassandra://one/k/t?caFile=/c', 'no effect without tls=true'],
  ])('is refused as %s, with the reason, and without a password', (url, reason) => {
    expect(() => cassandraLocationOf(url)).toThrow(
      expect.objectContaining({ code: 'STORE_URL_INVALID', message: expect.stringContaining(reason) }),
    )
    expect(() => cassandraLocationOf(url)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })
})
