import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ResourceRegistry } from '../../../embedded/resources.ts'
import { Storage } from '../../../embedded/storage.ts'
import { streamWatch } from '../../../embedded/watch.ts'
import { WriteLog } from '../../../embedded/write-log.ts'

describe('a watch', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('when its time ends while a bookmark is due and the client is still there, nothing is written after the end', () => {
    const definition = new ResourceRegistry().all().find(({ plural }) => plural === 'pods')
    if (!definition) throw new Error('there are pods')
    const response = new ServerResponse(new IncomingMessage(new Socket()))
    const afterEnd: unknown[] = []
    const write = vi.spyOn(response, 'write').mockImplementation((line: unknown) => {
      if (response.writableEnded) afterEnd.push(line)
      return true
    })
    streamWatch(
      new Storage(new WriteLog()),
      {
        definition,
        namespace: '',
        matches: () => true,
        resourceVersion: '',
        start: 'changes',
        bookmarkIntervalMs: 60_000,
        timeoutMs: 300_000,
        present: (object) => object,
      },
      response,
    )
    vi.advanceTimersByTime(600_000)
    expect(response.writableEnded).toBe(true)
    expect(write.mock.calls.length).toBeGreaterThanOrEqual(5)
    expect(afterEnd).toEqual([])
  })
})
