import { describe, expect, test } from 'vitest'
import { hbaseLocationOf } from '../../../../runtime/ports/hbase-location.ts'
import { placeInStore } from '../../../../runtime/ports/store.ts'

describe('the URL of a store in HBase', () => {
  test('names gateways, a table and a folder', () => {
    expect(hbaseLocationOf('hbase://one:8180,two,[::1]/streams:state/a//b/')).toEqual({
      urls: ['http://one:8180', 'http://two:8080', 'http://[::1]:8080'],
      table: 'streams:state',
      prefix: 'a/b/',
      login: undefined,
      tls: undefined,
    })
  })

  test('has options for the login and TLS', () => {
    expect(hbaseLocationOf('hbase://one/t?user=me&passwordFile=/p&tls=true&caFile=/c')).toMatchObject({
      urls: ['https://one:8080'],
      login: { username: 'me', passwordFile: '/p' },
      tls: { caFile: '/c' },
    })
    expect(hbaseLocationOf('hbase://127.0.0.1/t?tokenFile=/t').login).toEqual({ tokenFile: '/t' })
  })

  test.each(['hbase://one/t', 'hbase://one/t/jobs?tls=true'])(
    'with a folder of a job in it has the same options: %s',
    (url) => {
      const { prefix } = hbaseLocationOf(url)
      expect(hbaseLocationOf(placeInStore(url, 'ns/job/uid'))).toEqual({
        ...hbaseLocationOf(url),
        prefix: `${prefix}ns/job/uid/`,
      })
    },
  )

  test.each([
    ['hbase://one', 'REST gateways and a table'],
    ['hbase:///t', 'REST gateways and a table'],
    ['hbase://me:secret@one/t', 'is not host:port'],
    ['hbase://one/t%2F..%2Fschema', 'is no name of a table'],
    ['hbase://one/t/../x', '. or ..'],
    ['hbase://one/t?passwordFile=/p&tls=true', 'user and passwordFile are a pair'],
    ['hbase://one/t?user=me&passwordFile=/p', 'in plain text'],
    ['hbase://one/t?tokenFile=/p', 'in plain text'],
    ['hbase://one/t?tls=true&user=me&passwordFile=/p&tokenFile=/t', 'of which one is enough'],
    ['hbase://one/t?insecure=yes', 'it is true or false'],
    ['hbase://one/t?family=d', 'option "family"'],
  ])('is refused as %s, with the reason, and without a password', (url, reason) => {
    expect(() => hbaseLocationOf(url)).toThrow(
      expect.objectContaining({ code: 'STORE_URL_INVALID', message: expect.stringContaining(reason) }),
    )
    expect(() => hbaseLocationOf(url)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })
})
