import { request as httpRequest } from 'node:http'
import { expect, test } from 'vitest'
import type { Objects } from '../../runtime/ports/objects.ts'
import { byteHttp, type ByteRequest, type SendBytes } from '../../runtime/ports/real/byte-http.ts'
import { objectsEnvironment, openObjects } from '../../runtime/ports/real/open-objects.ts'

const FAULTS = ['throttled 503', 'throttled 429', 'cut upload', 'lost answer', 'slow'] as const
/** So many of a hundred calls have a fault: that one call has it at every try is once in many runs. */
const FAULT_PERCENT = 20
const SLOW_MS = 300
const RACERS = 40
const LONG_MS = 240_000

/**
 * What storages on servers promise while calls are throttled, cut and lose their answers, and the server is the real one.
 * `urlOf` gives the URL of a folder.
 */
export function objectsFaultSuite(urlOf: (folder: string) => string, env: () => Record<string, string>): void {
  const open = (seed: number, folder = 'faults'): Objects =>
    openObjects(urlOf(folder), { ...objectsEnvironment(undefined), env: env(), send: faultySend(seed) })

  test(
    `of ${RACERS} callers that create the same path under faults exactly one gets created, and its bytes stay`,
    async () => {
      const race = Array.from({ length: RACERS }, (_, n) => open(n).createIfAbsent('race', Buffer.from(`caller ${n}`)))
      const results = await Promise.all(race)
      expect(results.filter((result) => result === 'created')).toHaveLength(1)
      const kept = Buffer.from(await open(99).read('race', 0, 100)).toString()
      expect(kept).toBe(`caller ${results.indexOf('created')}`)
    },
    LONG_MS,
  )

  test(
    'objects and uploads of several parts are whole under faults, and nothing else is visible',
    async () => {
      const large = Buffer.alloc(40_000_000, 'abcdefghijk')
      const upload = await open(1, 'whole').begin('large')
      for (let at = 0; at < large.length; at += 3_000_000) await upload.write(large.subarray(at, at + 3_000_000))
      const prepared = await upload.prepare()
      await open(2, 'whole').complete(prepared)
      await open(3, 'whole').complete(prepared)
      for (let n = 0; n < 20; n++) {
        await open(10 + n, 'whole').put('small', Buffer.from(`value ${n}`))
        expect(Buffer.from(await open(40 + n, 'whole').read('small', 0, 100)).toString()).toBe(`value ${n}`)
      }
      const found = await open(4, 'whole').read('large', 0, large.length + 1)
      expect(Buffer.compare(found, large)).toBe(0)
      const listed: string[] = []
      for await (const { path } of open(5, 'whole').list('')) listed.push(path)
      expect(listed).toEqual(['large', 'small'])
    },
    LONG_MS,
  )
}

/** Real requests, of which a seed chooses those that have a fault. */
function faultySend(seed: number): SendBytes {
  const send = byteHttp(undefined)
  let state = seed * 7919 + 1
  const below = (most: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % most
  }
  return async (request) => {
    const fault = below(100) < FAULT_PERCENT ? FAULTS[below(FAULTS.length)] : undefined
    if (fault === 'throttled 503' || fault === 'throttled 429')
      return { status: Number(fault.slice(-3)), headers: {}, body: new Uint8Array() }
    if (fault === 'cut upload' && (request.body?.length ?? 0) > 1) return cutInTheMiddle(request)
    if (fault === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
    const answer = await send(request)
    if (fault === 'lost answer') throw new Error('read ECONNRESET')
    return answer
  }
}

/** The server gets half of the bytes that were announced. */
function cutInTheMiddle({ method, url, headers, body = new Uint8Array() }: ByteRequest): Promise<never> {
  return new Promise((_resolve, reject) => {
    const sent = httpRequest(url, { method, headers: { ...headers, 'content-length': String(body.length) } })
    sent.once('error', reject)
    sent.write(body.subarray(0, body.length >> 1), () => sent.destroy(new Error('write EPIPE')))
  })
}
