import { isFields } from '../../runtime/model/fields.ts'
import type { HttpAnswer, HttpClient, OutgoingRequest } from '../../runtime/ports/http-client.ts'

export interface HeldSegment {
  interval: string
  version: string
  partition: number
  isPublished: boolean
  /** Whether a server has it: Druid answers as if a segment that none has were empty. */
  isServed: boolean
  events: Readonly<Record<string, unknown>>[]
}

/** The queries that a Druid source asks, answered from memory as a real 33.0.0 does. */
export class DruidSegments implements HttpClient {
  readonly segments: HeldSegment[] = []
  /** Answers of the next requests in place of the right ones. */
  readonly mishaps: (HttpAnswer | Error)[] = []
  sqlResult = ''
  requests = 0

  async send({ url, body = '{}' }: OutgoingRequest): Promise<HttpAnswer> {
    this.requests++
    const mishap = this.mishaps.shift()
    if (mishap instanceof Error) throw mishap
    if (mishap !== undefined) return mishap
    const query = JSON.parse(body) as Readonly<Record<string, unknown>>
    if (!url.endsWith('/sql')) return { status: 200, body: this.#native(query) }
    if (query['resultFormat'] === 'objectLines') return { status: 200, body: this.sqlResult }
    const isOfColumns = String(query['query']).includes('INFORMATION_SCHEMA')
    return { status: 200, body: JSON.stringify(isOfColumns ? this.#columns() : this.#rowsOfSegments(query)) }
  }

  #columns(): object[] {
    const names = new Set(this.segments.flatMap(({ events }) => Object.keys(events[0] ?? {})))
    return [...names].map((name) => ({ name }))
  }

  #rowsOfSegments({ parameters }: Readonly<Record<string, unknown>>): object[] {
    const after = (parameters as { value: string }[])[1]?.value ?? ''
    return this.segments
      .map(({ interval, version, partition, isPublished }) => {
        const [start, end] = interval.split('/')
        const id = `d_${start}_${end}_${version}_${partition}`
        return { id, start, end, version, partition, published: isPublished ? 1 : 0 }
      })
      .filter(({ id }) => id > after)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, 5000)
  }

  #native(query: Readonly<Record<string, unknown>>): string {
    const { intervals, filter, aggregations } = query as {
      intervals: { segments: { itvl: string; ver: string; part: number }[] }
      filter: unknown
      aggregations?: [object, { filter: unknown }]
    }
    const [asked] = intervals.segments
    const segment = this.segments.find(
      ({ interval, version, partition, isServed }) =>
        isServed && interval === asked?.itvl && version === asked.ver && partition === asked.part,
    )
    if (query['queryType'] === 'timeseries') {
      const events = segment?.events ?? []
      const matched = events.filter((event) => passes(event, aggregations?.[1].filter)).length
      return JSON.stringify([{ timestamp: asked?.itvl, result: { total: events.length, matched } }])
    }
    const { offset, limit, columns } = query as { offset: number; limit: number; columns: string[] }
    const events = (segment?.events ?? []).filter((event) => passes(event, filter)).slice(offset, offset + limit)
    if (events.length === 0) return '[]'
    const shown = events.map((event) => Object.fromEntries(columns.map((name) => [name, event[name] ?? null])))
    return JSON.stringify([
      { segmentId: 's', columns, events: shown, rowSignature: columns.map((name) => ({ name, type: 'STRING' })) },
    ])
  }
}

function passes(event: Readonly<Record<string, unknown>>, filter: unknown): boolean {
  if (!isFields(filter)) return true
  if (filter['type'] === 'and') return (filter['fields'] as unknown[]).every((part) => passes(event, part))
  if (filter['type'] === 'selector') return event[String(filter['dimension'])] === filter['value']
  const [from = '', to = ''] = String((filter['intervals'] as string[])[0]).split('/')
  const time = Number(event['__time'])
  return time >= Date.parse(from) && time < Date.parse(to)
}
