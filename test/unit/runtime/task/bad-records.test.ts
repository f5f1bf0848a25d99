import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import { RecordTallies } from '../../../../runtime/operators/record-tally.ts'
import { BadRecords } from '../../../../runtime/task/bad-records.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'

const failing = (): BadRecords =>
  new BadRecords({
    handling: new Map([['kept', { policy: { kind: 'fail' }, deadLetters: undefined }]]),
    counters: { badRecords: 0 },
    tallies: new RecordTallies(),
    logger: silentLogger,
  })

describe('a row that is refused with onError: fail', () => {
  test('when a service did not answer, the error says that it may pass, so that the job goes on trying', () => {
    const away = new MillraceError('HTTP_FAILED', 'no answer from rates', { domain: 'dependency', retriable: true })
    expect(() => {
      failing().onRow(away, {}, 'kept')
    }).toThrow(expect.objectContaining({ code: 'RECORD_REFUSED', domain: 'dependency', retriable: true }))
  })

  test("when a function throws, the error is the author's and stays", () => {
    expect(() => {
      failing().onRow(new Error('no luck'), {}, 'kept')
    }).toThrow(expect.objectContaining({ code: 'RECORD_REFUSED', domain: 'user', retriable: false }))
  })

  test('the record is shown without the values of fields that are secrets', () => {
    expect(() => {
      failing().onRow(new Error('no luck'), { user: 'a', password: 'hunter2' }, 'kept')
    }).toThrow('record {"user":"a","password":"…"}')
  })

  test('a reason that quotes the record shows neither secrets nor what a terminal obeys', () => {
    expect(() => {
      failing().onRow(new Error('found {"token": "abc"} \u001b[31m'), {}, 'kept')
    }).toThrow('found {"token": "…"} \\u001b[31m; record')
  })
})
