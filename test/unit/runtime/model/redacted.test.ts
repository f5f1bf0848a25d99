import { expect, test } from 'vitest'
import { redacted, redactedStart, withoutSecrets } from '../../../../runtime/model/redacted.ts'

test.each([
  ['{"user":"a","password":"hunter2","n":1}', '{"user":"a","password":"…","n":1}'],
  ['{"apiKey": "a\\"b", "x": {"access_token":123}}', '{"apiKey": "…", "x": {"access_token":"…"}}'],
  ['{"clientSecret":"cut off', '{"clientSecret":"…"'],
  ['user=a&token=abc&x=1', 'user=a&token="…"&x=1'],
  ['{"tokens":5,"monkey":"b"}', '{"tokens":"…","monkey":"b"}'],
  ['{"text":"my password is safe"}', '{"text":"my password is safe"}'],
  ['"u:pw@k:9092" is not host:port', '"u:…@k:9092" is not host:port'],
  ['ftp://u:p@[::1]/x', 'ftp://u:…@[::1]/x'],
  ['at 12:30 to a@b.c', 'at 12:30 to a@b.c'],
])('%s is shown as %s', (text, shown) => {
  expect(redacted(text)).toBe(shown)
})

test('an answer that repeats a secret it was sent, as it is or in Base64, is shown without it', () => {
  const answer = `no user canary-5e1f, ${Buffer.from('canary-5e1f').toString('base64')}, abc`
  expect(withoutSecrets(answer, ['canary-5e1f', 'abc', ''])).toBe('no user …, …, abc')
})

test('the beginning of a text shows no part of a secret that ends behind it', () => {
  const address = `"amqp://user:${'p'.repeat(100)}@host"`
  for (let most = 1; most < address.length; most++) expect(redactedStart(address, most)).not.toContain('ppp')
  expect(redactedStart('{"n":1,"token":"abcdef"}', 18)).toBe('{"n":1,"token":"…"…')
})
