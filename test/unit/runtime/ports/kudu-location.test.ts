import { describe, expect, test } from 'vitest'
import { kuduLocationOf } from '../../../../runtime/ports/kudu-location.ts'
import { placeInStore } from '../../../../runtime/ports/store.ts'

describe('the URL of a store in Kudu', () => {
  test('names masters, a table and a folder', () => {
    expect(kuduLocationOf('kudu://one:7151,two,[::1]:7051/impala%3A%3Adb.state/a//b/')).toEqual({
      masters: ['one:7151', 'two:7051', '[::1]:7051'],
      table: 'impala::db.state',
      prefix: 'a/b/',
      user: 'millrace',
      tls: undefined,
    })
    expect(kuduLocationOf('kudu://one/state')).toMatchObject({ masters: ['one:7051'], prefix: '' })
  })

  test('may name a user, TLS and an authority', () => {
    expect(kuduLocationOf('kudu://one/state?user=me&tls=true')).toMatchObject({ user: 'me', tls: {} })
    expect(kuduLocationOf('kudu://one/state?tls=true&caFile=/secrets/ca.pem')).toMatchObject({
      tls: { caFile: '/secrets/ca.pem' },
    })
  })

  test.each(['kudu://one:7051/state', 'kudu://one:7051/state/jobs?user=me'])(
    'keeps its options where a folder of %s is meant',
    (url) => {
      const { prefix } = kuduLocationOf(url)
      expect(kuduLocationOf(placeInStore(url, 'ns/job/uid'))).toEqual({
        ...kuduLocationOf(url),
        prefix: `${prefix}ns/job/uid/`,
      })
    },
  )

  test.each([
    ['kudu://one:7051', 'masters and a table'],
    ['kudu:///state', 'masters and a table'],
    ['kudu://user:secret@one/state', 'is not host:port'],
    ['kudu://one:99999/state', 'is not host:port'],
    ['kudu://one,,two/state', 'is not host:port'],
    [`kudu://${'one,'.repeat(7)}one/state`, '8 masters'],
    [`kudu://one/${'x'.repeat(257)}`, '256 characters'],
    ['kudu://one/state/../other', '. or ..'],
    ['kudu://one/state/%zz', 'two hex digits'],
    ['kudu://one/state?password=x', 'option "password"'],
    ['kudu://one/state?user=a&user=b', 'given twice'],
    ['kudu://one/state?tls=maybe', 'it is true or false'],
    ['kudu://one/state?caFile=/ca.pem', 'no effect without tls=true'],
  ])('is refused as %s, with the reason', (url, reason) => {
    expect(() => kuduLocationOf(url)).toThrow(
      expect.objectContaining({ code: 'STORE_URL_INVALID', message: expect.stringContaining(reason) }),
    )
  })
})
