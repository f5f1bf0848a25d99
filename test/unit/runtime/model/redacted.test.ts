import { expect, test } from 'vitest'
import { redacted } from '../../../../runtime/model/redacted.ts'

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
