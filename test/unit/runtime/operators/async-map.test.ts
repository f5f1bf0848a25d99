import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import type { HttpAnswer, OutgoingRequest } from '../../../../runtime/ports/http-client.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'

const SCHEMA = { id: 'long', at: 'timestamp' }
type View = { signal: AbortSignal; attempt: number }
type Call = (row: { id: number }, view: View) => unknown

function bedOf(asyncMap: object, call: Call, clock = new ManualClock(0)): { bed: OperatorBed; clock: ManualClock } {
  const entry = { asyncMap: { module: 'user', function: 'call', output: { id: 'long', at: 'timestamp' }, ...asyncMap } }
  const graph = aroundOperator(SCHEMA, entry, { modules: { user: { path: './user.ts' } }, eventTime: 'at' })
  return { bed: new OperatorBed(graph, 'op', { clock, modules: { user: { call } } }), clock }
}

/** Lets time pass until the promise is settled. */
async function driven<T>(promise: Promise<T>, { clock }: { clock: ManualClock }): Promise<T> {
  let isSettled = false
  const watched = promise.finally(() => {
    isSettled = true
  })
  watched.catch(() => undefined)
  for (let turn = 0; turn < 5_000 && !isSettled; turn++) await clock.advance(1)
  return watched
}

const rowsOf = (...ids: number[]): Row[] => ids.map((id) => ({ id, at: id }))
const idsOf = (bed: OperatorBed): unknown[] => bed.out.rows.map((row) => row['id'])

describe('asyncMap', () => {
  const arbitrarySteps = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ delay: fc.integer({ min: 0, max: 12 }) }) },
      { weight: 1, arbitrary: fc.constant('watermark' as const) },
    ),
    { maxLength: 40 },
  )

  test.each(['ordered', 'unordered'] as const)(
    '%s, whatever takes how long: every row once, no watermark before a row that came before it, never more than capacity',
    async (order) => {
      await fc.assert(
        fc.asyncProperty(arbitrarySteps, fc.integer({ min: 1, max: 5 }), async (steps, capacity) => {
          const delays = new Map<number, number>()
          let underWay = 0
          let most = 0
          const clock = new ManualClock(0)
          const around = bedOf(
            { order, capacity },
            ({ id }) =>
              new Promise((resolve) => {
                most = Math.max(most, ++underWay)
                clock.after(delays.get(id) ?? 0, () => {
                  underWay -= 1
                  resolve({ id, at: id })
                })
              }),
            clock,
          )
          let id = 0
          for (const step of steps) {
            if (step === 'watermark') await driven(around.bed.watermark(id), around)
            else {
              delays.set(++id, step.delay)
              await driven(around.bed.process(rowsOf(id)), around)
            }
            await around.bed.runMails()
          }
          await driven(around.bed.end(), around)
          const all = around.bed.out.all
          all.forEach((item, index) => {
            if (typeof item !== 'number') return
            const before = all
              .slice(0, index)
              .filter((earlier) => typeof earlier !== 'number')
              .map((row) => Number((row as Row)['id']))
            expect([...before].sort((a, b) => a - b)).toEqual(
              Array.from({ length: Math.min(item, id) }, (_, n) => n + 1),
            )
          })
          if (order === 'ordered') expect(idsOf(around.bed)).toEqual([...delays.keys()])
          expect(most).toBeLessThanOrEqual(capacity)
          expect(all.at(-1)).toBe(Number.MAX_SAFE_INTEGER)
          expect(around.bed.errors).toEqual([])
        }),
        { numRuns: 25 },
      )
    },
  )

  test('when results come while nothing else does, a mail hands them on', async () => {
    const clock = new ManualClock(0)
    const { bed } = bedOf(
      {},
      ({ id }) =>
        new Promise((resolve) => {
          clock.after(5, () => {
            resolve({ id, at: id })
          })
        }),
      clock,
    )
    await bed.process(rowsOf(1, 2))
    expect(bed.out.rows).toEqual([])
    await clock.advance(10)
    expect(await bed.runMails()).toBe(1)
    expect(idsOf(bed)).toEqual([1, 2])
  })

  test('when it is drained, everything under way has gone out, so that a checkpoint keeps nothing of it', async () => {
    const clock = new ManualClock(0)
    const around = bedOf(
      {},
      ({ id }) =>
        new Promise((resolve) => {
          clock.after(50, () => {
            resolve({ id, at: id })
          })
        }),
      clock,
    )
    await around.bed.process(rowsOf(1, 2, 3))
    await driven(around.bed.stage.drain?.() ?? Promise.resolve(), around)
    expect(idsOf(around.bed)).toEqual([1, 2, 3])
    expect(around.bed.stage.state).toBeUndefined()
  })

  test('while a row is under way, the watermark behind it has not passed', async () => {
    const clock = new ManualClock(0)
    const around = bedOf(
      {},
      ({ id }) =>
        new Promise((resolve) => {
          clock.after(50, () => {
            resolve({ id, at: id })
          })
        }),
      clock,
    )
    await around.bed.watermark(5)
    await around.bed.process(rowsOf(7))
    await around.bed.watermark(8)
    expect(around.bed.stage.passedWatermark?.()).toBe(5)
    await driven(around.bed.stage.drain?.() ?? Promise.resolve(), around)
    expect(around.bed.stage.passedWatermark?.()).toBe(8)
  })

  test('when a call fails, it is tried again after waits that double, each try told which it is, then it is an error of the row', async () => {
    const clock = new ManualClock(0)
    const tries: number[][] = []
    const around = bedOf(
      { retry: { attempts: 4, backoff: '10ms', max: '25ms' } },
      ({ id }, { attempt }) => {
        tries.push([clock.now(), attempt])
        if (id === 1 || attempt < 2) return Promise.reject(new Error(`try ${attempt}`))
        return { id, at: id }
      },
      clock,
    )
    await around.bed.process(rowsOf(1))
    await driven(around.bed.stage.drain?.() ?? Promise.resolve(), around)
    expect(tries).toEqual([
      [0, 1],
      [10, 2],
      [30, 3],
      [55, 4],
    ])
    expect(around.bed.errors).toMatchObject([{ operator: 'op', row: { id: 1 }, error: { message: 'try 4' } }])
    await around.bed.process(rowsOf(2))
    await driven(around.bed.end(), around)
    expect(idsOf(around.bed)).toEqual([2])
  })

  test('when a call takes longer than its timeout, its signal is aborted and it counts as failed', async () => {
    let signal: AbortSignal | undefined
    const around = bedOf({ timeout: '20ms' }, (_row, view) => {
      signal = view.signal
      return new Promise(() => undefined)
    })
    await around.bed.process(rowsOf(1))
    await driven(around.bed.end(), around)
    expect(signal?.aborted).toBe(true)
    expect(around.bed.errors).toMatchObject([{ error: { code: 'ASYNC_TIMEOUT', message: 'no result within 20 ms' } }])
  })

  test('when the result does not fit the declared row, it is an error of the row and not tried again', async () => {
    let tries = 0
    const around = bedOf({ retry: { attempts: 3 } }, ({ id }) => {
      tries += 1
      return Promise.resolve({ id, at: 'noon' })
    })
    await around.bed.process(rowsOf(1))
    await driven(around.bed.end(), around)
    expect(tries).toBe(1)
    expect(around.bed.errors).toMatchObject([
      {
        error: { code: 'VALUE_INVALID', message: expect.stringContaining('field \'at\' (timestamp) would be "noon"') },
      },
    ])
  })

  test('when the attempt ends while all calls are taken and none answers, the input that waits is let go', async () => {
    const around = bedOf({ capacity: 1 }, () => new Promise(() => undefined))
    const waiting = around.bed.process(rowsOf(1, 2))
    await around.clock.advance(1)
    around.bed.stopping.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ATTEMPT_ENDED' })
    expect(around.bed.errors).toEqual([])
  })
})

describe('asyncMap: http', () => {
  function httpBed(
    http: object,
    answer: (request: OutgoingRequest) => HttpAnswer,
    output: Readonly<Record<string, string>> = { price: 'double?' },
  ): { bed: OperatorBed; clock: ManualClock; requests: OutgoingRequest[] } {
    const requests: OutgoingRequest[] = []
    const clock = new ManualClock(0)
    const graph = aroundOperator(
      { id: 'long', name: 'string?' },
      { asyncMap: { http, output, retry: { attempts: 2, backoff: '1ms' } } },
    )
    const bed = new OperatorBed(graph, 'op', {
      clock,
      http: {
        send: (request) => {
          requests.push(request)
          return Promise.resolve(answer(request))
        },
      },
    })
    return { bed, clock, requests }
  }

  test('a GET is made of the row, its values quoted for a URL, and fields of the answer stand behind the row', async () => {
    const around = httpBed({ url: 'http://prices:8080/of/{id}?name={name}', headers: { 'x-id': '{id}' } }, () => ({
      status: 200,
      body: '{"price": 1.5, "more": 1}',
    }))
    await around.bed.process([{ id: 7, name: 'a/b&c=ž' }])
    await driven(around.bed.end(), around)
    expect(around.requests).toMatchObject([
      {
        method: 'GET',
        url: 'http://prices:8080/of/7?name=a%2Fb%26c%3D%C5%BE',
        headers: { 'x-id': '7', accept: 'application/json' },
      },
    ])
    expect(around.bed.out.rows).toEqual([{ id: 7, name: 'a/b&c=ž', price: 1.5 }])
  })

  test('decimals and bigints of an answer keep their digits', async () => {
    const around = httpBed(
      { url: 'http://prices/{id}' },
      () => ({ status: 200, body: '{"price": 12345678901234567.89, "ref": 9007199254740993}' }),
      { price: 'decimal(20,2)', ref: 'bigint' },
    )
    await around.bed.process([{ id: 7, name: null }])
    await driven(around.bed.end(), around)
    expect(around.bed.out.rows).toEqual([{ id: 7, name: null, price: '12345678901234567.89', ref: '9007199254740993' }])
  })

  test('a POST sends the row as JSON, or a body whose values are JSON', async () => {
    const plain = httpBed({ url: 'http://prices/', method: 'POST' }, () => ({ status: 200, body: '{}' }))
    await plain.bed.process([{ id: 7, name: null }])
    await driven(plain.bed.end(), plain)
    expect(plain.requests[0]?.body).toBe('{"id":7,"name":null}')
    expect(plain.bed.out.rows).toEqual([{ id: 7, name: null, price: null }])
    const own = httpBed({ url: 'http://prices/', method: 'POST', body: '{{"of": {name}}' }, () => ({
      status: 200,
      body: '{}',
    }))
    await own.bed.process([{ id: 7, name: 'a"b' }])
    await driven(own.bed.end(), own)
    expect(own.requests[0]?.body).toBe('{"of": "a\\"b"}')
  })

  test.each([
    [503, 'busy', 'HTTP_STATUS', 2],
    [429, '', 'HTTP_STATUS', 2],
    [404, 'unknown', 'HTTP_STATUS', 1],
    [200, 'no json', 'HTTP_ANSWER', 1],
    [200, '[1]', 'HTTP_ANSWER', 1],
    [200, '{"price": "x"}', 'VALUE_INVALID', 1],
  ])('when the answer is %i %j, it is %s after %i tries', async (status, body, code, tries) => {
    const around = httpBed({ url: 'http://prices/{id}' }, () => ({ status, body }))
    await around.bed.process([{ id: 7, name: null }])
    await driven(around.bed.end(), around)
    expect(around.requests).toHaveLength(tries)
    expect(around.bed.errors).toMatchObject([{ error: { code } }])
  })
})
