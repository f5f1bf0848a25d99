import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { withLock } from '../../harness/beds/lock.ts'

describe('a lock of the test beds', () => {
  test('two who want it at once have it one after the other', async () => {
    const name = randomUUID()
    const log: string[] = []
    const work = (who: string) => () =>
      new Promise<void>((done) => {
        log.push(`${who} in`)
        setImmediate(() => {
          log.push(`${who} out`)
          done()
        })
      })
    await Promise.all([
      withLock('test', name, work('a')),
      withLock('test', name, work('b')),
      withLock('test', name, work('c')),
    ])
    expect(log).toHaveLength(6)
    for (let i = 0; i < 6; i += 2) expect(log[i + 1]).toBe(log[i]?.replace('in', 'out'))
  })

  test('it is free again when the work throws', async () => {
    const name = randomUUID()
    await expect(withLock('test', name, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await expect(withLock('test', name, () => Promise.resolve('yes'))).resolves.toBe('yes')
  })
})
