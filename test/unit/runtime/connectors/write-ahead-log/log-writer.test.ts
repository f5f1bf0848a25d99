import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LogCursor, type LogExtent } from '../../../../../runtime/connectors/kit/write-ahead-log/log-cursor.ts'
import { encodeFrame } from '../../../../../runtime/connectors/kit/write-ahead-log/log-frame.ts'
import { LOG_START } from '../../../../../runtime/connectors/kit/write-ahead-log/log-place.ts'
import { LogWriter, type SegmentFiles } from '../../../../../runtime/connectors/kit/write-ahead-log/log-writer.ts'
import { MemorySegments } from '../../../../../runtime/connectors/kit/write-ahead-log/memory-segments.ts'
import { realFiles } from '../../../../../runtime/ports/real/files.ts'
import { entryOf } from '../../../../harness/log-world.ts'

const LIMITS = { maxBytes: 10_000, segmentBytes: 200 }

let folder = ''
const writers: LogWriter[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-log-'))
})
afterEach(async () => {
  for (const log of writers.splice(0)) await log.close()
  rmSync(folder, { recursive: true })
})

const pathOf = (segment: number): string => join(folder, 'era', `${segment}.log`)

async function writer(files: SegmentFiles = realFiles, limits = LIMITS): Promise<LogWriter> {
  await mkdir(join(folder, 'era'), { recursive: true })
  const log = new LogWriter(files, pathOf, limits)
  writers.push(log)
  return log
}

/** The ids that a cursor gives until it has nothing more. */
async function idsOf(cursor: LogCursor): Promise<string[]> {
  const ids: string[] = []
  for (let read = await cursor.next(2); read !== undefined; read = await cursor.next(2)) {
    const { bytes, count, valueStarts, valueEnds } = read.entries
    for (let index = 0; index < count; index++)
      ids.push((JSON.parse(bytes.toString('utf8', valueStarts[index], valueEnds[index])) as { id: string }).id)
  }
  return ids
}

function closed(sizes: readonly number[]): LogExtent {
  return {
    readableBytes: (segment) => sizes[segment - 1],
    isComplete: () => true,
    endsWith: (segment) => segment >= sizes.length,
  }
}

function cursorOver(log: LogWriter, files: SegmentFiles = realFiles): LogCursor {
  const extent: LogExtent = {
    readableBytes: (segment) => log.readableBytes(segment),
    isComplete: (segment) => log.isComplete(segment),
    endsWith: () => false,
  }
  return new LogCursor(files, pathOf, extent, LOG_START)
}

/** Counts the flushes. */
function counted(): { files: SegmentFiles; flushes: () => number } {
  let flushes = 0
  const files: SegmentFiles = {
    ...realFiles,
    async createLog(path) {
      const file = await realFiles.createLog(path)
      return {
        append: (bytes) => file.append(bytes),
        sync: () => {
          flushes += 1
          return file.sync()
        },
        isInPlace: () => file.isInPlace(),
        close: () => file.close(),
      }
    },
  }
  return { files, flushes: () => flushes }
}

const IDS = Array.from({ length: 40 }, (_, index) => `record-${index}`)

describe('a log that is written', () => {
  test.each([
    ['on a volume', () => realFiles],
    ['in memory', () => new MemorySegments()],
  ])('gives its entries in order %s, over several segments', async (_where, filesOf) => {
    const files = filesOf()
    const log = await writer(files)
    for (const id of IDS) expect(await log.append([entryOf(id)])).toBe('kept')
    const cursor = cursorOver(log, files)
    expect(await idsOf(cursor)).toEqual(IDS)
    expect(cursor.position.segment).toBeGreaterThan(3)
    await log.append([entryOf('later')])
    expect(await idsOf(cursor)).toEqual(['later'])
  })

  test('flushes what comes together with few flushes', async () => {
    const { files, flushes } = counted()
    const log = await writer(files, { maxBytes: 1e6, segmentBytes: 1e6 })
    await Promise.all(Array.from({ length: 500 }, (_, index) => log.append([entryOf(`${index}`)])))
    expect(flushes()).toBeLessThan(5)
    expect(await idsOf(cursorOver(log, files))).toHaveLength(500)
  })

  test('takes no more than it may hold until what a checkpoint covers is deleted', async () => {
    const log = await writer(realFiles, { maxBytes: 400, segmentBytes: 100 })
    let kept = 0
    while ((await log.append([entryOf(`${kept}`)])) === 'kept') kept += 1
    expect(kept).toBeGreaterThan(3)
    await log.deleteBefore(3)
    expect((await readdir(join(folder, 'era'))).includes('2.log')).toBe(false)
    expect(await log.append([entryOf('more')])).toBe('kept')
  })

  test('acknowledges nothing once its folder was moved away', async () => {
    const log = await writer()
    await log.append([entryOf('before')])
    await rename(join(folder, 'era'), join(folder, 'closed'))
    await expect(log.append([entryOf('after')])).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await expect(log.append([entryOf('again')])).rejects.toMatchObject({ code: 'LOG_CLOSED' })
  })

  test('creates no segment once its folder was moved away', async () => {
    const log = await writer()
    await rename(join(folder, 'era'), join(folder, 'closed'))
    await expect(log.append([entryOf('late')])).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    expect(await readdir(join(folder, 'closed'))).toEqual([])
  })

  test('refuses what a full disk may have lost, and goes on in a new segment when there is room', async () => {
    let isFull = false
    const files: SegmentFiles = {
      ...realFiles,
      async createLog(path) {
        const file = await realFiles.createLog(path)
        return {
          append: async (bytes) => {
            await file.append(isFull ? bytes.subarray(0, 9) : bytes)
            if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
          },
          sync: () => file.sync(),
          isInPlace: () => file.isInPlace(),
          close: () => file.close(),
        }
      },
    }
    const log = await writer(files)
    await log.append([entryOf('first')])
    isFull = true
    await expect(log.append([entryOf('lost')])).rejects.toMatchObject({ code: 'LOG_UNWRITABLE', retriable: true })
    isFull = false
    expect(await log.append([entryOf('second')])).toBe('kept')
    expect(await idsOf(cursorOver(log, files))).toEqual(['first', 'second'])
  })
})

describe('a log that a crash has left', () => {
  const frames = [['a', 'b'], ['c'], ['d', 'e', 'f']].map((ids) => encodeFrame(ids.map(entryOf)))
  const whole = Buffer.concat(frames)
  const [first = 0, second = 0] = frames.map(({ length }) => length)
  const readAll = async (bytes: Buffer): Promise<string[]> => {
    await mkdir(join(folder, 'era'), { recursive: true })
    await writeFile(pathOf(1), bytes)
    return idsOf(new LogCursor(realFiles, pathOf, closed([bytes.length]), LOG_START))
  }

  test('gives every whole frame and nothing else, wherever it is cut', async () => {
    for (let end = 0; end <= whole.length; end++) {
      const expected = [
        ...(end >= first ? ['a', 'b'] : []),
        ...(end >= first + second ? ['c'] : []),
        ...(end >= whole.length ? ['d', 'e', 'f'] : []),
      ]
      expect(await readAll(whole.subarray(0, end)), `cut at ${end}`).toEqual(expected)
    }
  })

  test('is damaged when a byte before a whole frame is another one, wherever that is', async () => {
    for (let at = 0; at < first + second; at++) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 0x40
      await expect(readAll(bytes), `byte ${at}`).rejects.toMatchObject({ code: 'LOG_DAMAGED' })
    }
  })

  test('ends before its last frame when a byte of that is another one', async () => {
    for (let at = first + second; at < whole.length; at++) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 0x40
      expect(await readAll(bytes), `byte ${at}`).toEqual(['a', 'b', 'c'])
    }
  })

  test('keeps values of any bytes, empty ones and metadata', async () => {
    const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const entries = [
      { metadata: '{"a":"ä"}', value },
      { metadata: '', value: Buffer.alloc(0) },
    ]
    await mkdir(join(folder, 'era'))
    const frame = encodeFrame(entries)
    await writeFile(pathOf(1), frame)
    const read = await new LogCursor(realFiles, pathOf, closed([frame.length]), LOG_START).next(10)
    const { bytes, metadataStarts, valueStarts, valueEnds } = read?.entries ?? expect.fail('no entries')
    expect(bytes.toString('utf8', metadataStarts[0], valueStarts[0])).toBe('{"a":"ä"}')
    expect(bytes.subarray(valueStarts[0], valueEnds[0])).toEqual(value)
    expect(valueEnds[1]).toBe(valueStarts[1])
    expect(await readFile(pathOf(1))).toEqual(frame)
  })
})
