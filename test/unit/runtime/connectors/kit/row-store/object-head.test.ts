import { describe, expect, test } from 'vitest'
import { decodeHead, encodeHead } from '../../../../../../runtime/connectors/kit/row-store/object-head.ts'

const PART_BYTES = 60_000
const NOTHING = new Uint8Array()

describe('the head of a file in a table', () => {
  test.each([
    { generation: 'a1', parts: 0, sizeBytes: 0, inline: NOTHING },
    { generation: 'a1', parts: 0, sizeBytes: 5, inline: Buffer.from('\n{"a"') },
    { generation: 'a1', parts: 2, sizeBytes: PART_BYTES + 1, inline: NOTHING },
  ])('with $parts parts of $sizeBytes bytes is read as it was written', (head) => {
    const { inline, ...rest } = decodeHead(encodeHead(head), 'path', PART_BYTES)
    expect(rest).toEqual({ generation: head.generation, parts: head.parts, sizeBytes: head.sizeBytes })
    expect(Buffer.compare(inline, head.inline)).toBe(0)
  })

  test.each([
    '',
    'no line end',
    '\n',
    'null\n',
    '{"generation":"","parts":0,"sizeBytes":0}\n',
    '{"generation":"a","parts":0,"sizeBytes":3}\nab',
    '{"generation":"a","parts":3,"sizeBytes":60001}\n',
    '{"generation":"a","parts":-1,"sizeBytes":1}\n',
    '{"generation":"a","parts":1e400,"sizeBytes":1}\n',
    '{"generation":1,"parts":0,"sizeBytes":0}\n',
  ])('that holds %j is refused with the path', (cell) => {
    expect(() => decodeHead(Buffer.from(cell), 'jobs/x', PART_BYTES)).toThrow(
      expect.objectContaining({ code: 'STORE_OBJECT_UNREADABLE', message: expect.stringContaining('jobs/x') }),
    )
  })
})
