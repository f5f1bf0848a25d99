import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { recorded } from './druid-fixtures.ts'

type Spec = Record<string, unknown>

interface Lookup {
  version: string
  lookupExtractorFactory: Spec
}

/**
 * The part of Druid's API that the operator uses, on loopback, answering with what a real 33.0.0 answered:
 * defaults written out, objects doubled at the top level, 400 in its words, and the supervisor that is gone after an
 * update it could not build.
 */
export class FakeDruid {
  readonly calls: { method: string; path: string; authorization: string | undefined }[] = []
  readonly supervisors = new Map<string, { spec: Spec; suspended: boolean; restarts: number }>()
  readonly history = new Map<string, { spec: Spec; version: string }[]>()
  /** By datasource, as they were sent last. */
  readonly rules = new Map<string, Spec[]>()
  readonly compactions = new Map<string, Spec>()
  /** By tier and name; undefined before the first one. */
  lookups: Map<string, Lookup> | undefined
  /** Answers of `GET …/status` in place of the usual ones. */
  status: string | undefined
  /** A partition that no task of a running supervisor has. */
  unread: string | undefined
  /** Whether all supervisors at once may not be read. */
  refusesOverview = false
  /** Whether this Druid knows a member of the ioConfig; one that it does not know it does not give back. */
  knows: (member: string) => boolean = () => true
  runningTasks = 'none'
  completedTasks = 'none'
  /** The answer of its sampler in place of the usual one. */
  sampler: { status: number; text: string } | undefined
  /** 'refuse' closes every connection; a number is the status of every answer. */
  failure: 'refuse' | number | undefined
  /** Called before a write is carried out. */
  beforeWrite: () => void = () => undefined
  /** Whether writes are carried out and their answers lost. */
  losesAnswers = false
  /** Specifications come later than their senders wait: those that are under way. */
  delayed: (() => void)[] | undefined
  readonly #server = createServer((request, response) => {
    void this.#serve(request, response)
  })
  #version = 0

  async start(): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve)
    })
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => {
      this.#server.close(resolve)
    })
  }

  /** Without what the sampler was asked. */
  writes(): string[] {
    return this.calls
      .filter(({ method, path }) => method !== 'GET' && !path.endsWith('/sampler'))
      .map(({ path }) => path)
  }

  /** As if its constructor had thrown: gone without a tombstone. */
  lose(id: string): void {
    this.supervisors.delete(id)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://fake')
    const method = request.method ?? ''
    this.calls.push({ method, path: url.pathname + url.search, authorization: request.headers.authorization })
    if (this.failure === 'refuse') {
      request.socket.destroy()
      return
    }
    if (this.failure !== undefined) {
      response.writeHead(this.failure, { location: 'http://169.254.169.254/' }).end()
      return
    }
    if (this.delayed !== undefined && method === 'POST' && url.pathname.endsWith('/supervisor')) {
      this.delayed.push(() => this.#answer(method, url, Buffer.concat(chunks).toString('utf8')))
      request.socket.destroy()
      return
    }
    if (method !== 'GET' && !url.pathname.endsWith('/sampler')) this.beforeWrite()
    const { status, text } = this.#answer(method, url, Buffer.concat(chunks).toString('utf8'))
    if (method === 'POST' && this.losesAnswers && !url.pathname.endsWith('/sampler')) {
      request.socket.destroy()
      return
    }
    const date = new Date().toUTCString()
    response.setHeader('date', [date, date]).writeHead(status).end(text)
  }

  #answer(method: string, url: URL, body: string): { status: number; text: string } {
    if (url.pathname === '/druid/indexer/v1/tasks') {
      const name = url.searchParams.get('state') === 'running' ? this.runningTasks : this.completedTasks
      return name === 'none' ? json([]) : replay(name)
    }
    if (url.pathname === '/druid/indexer/v1/sampler') return this.#sample(JSON.parse(body) as Spec)
    const [, kind, dataSource = ''] = /\/(rules|compaction\/config\/datasources)\/([^/]+)$/.exec(url.pathname) ?? []
    if (kind === 'rules') return this.#rulesOf(dataSource, method, body)
    if (kind !== undefined) return this.#compactionOf(dataSource, method, body)
    const [, tier, lookup] = /\/lookups\/config(?:\/([^/]+)\/([^/]+))?$/.exec(url.pathname) ?? []
    if (url.pathname.includes('/lookups/config')) return this.#lookupOf(tier, lookup, method, body)
    if (url.pathname.endsWith('/taskGroups/handoff')) return replay('supervisor-handoff')
    const [, id, verb] = /^\/druid\/indexer\/v1\/supervisor(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(url.pathname) ?? []
    if (id === undefined && method === 'GET') return this.#overview()
    if (id === undefined)
      return this.#post(JSON.parse(body) as Spec, url.searchParams.get('skipRestartIfUnmodified') === 'true')
    if (verb === 'history') {
      const versions = this.history.get(id)
      return versions ? json(versions) : replay('supervisor-get-404', id)
    }
    const supervisor = this.supervisors.get(id)
    if (!supervisor) return replay('supervisor-get-404', id)
    if (method === 'GET' && verb === undefined) {
      const { ioConfig: _, ...echoed } = echo(supervisor)
      const inner = part(echoed, 'spec')
      const known = Object.entries(part(inner, 'ioConfig')).filter(([name]) => this.knows(name))
      const ioConfig = Object.fromEntries(known)
      return json({ ...echoed, spec: { ...inner, ioConfig }, ioConfig })
    }
    if (verb === 'status') return this.#status(supervisor.suspended)
    if (verb === 'terminate') {
      this.supervisors.delete(id)
      this.#remember(id, { type: 'noop', id: null, dataSources: [id], suspended: false, source: 'noop' })
      return json({ id })
    }
    return this.#switch(id, supervisor, verb === 'suspend')
  }

  #sample(posted: Spec): { status: number; text: string } {
    if (this.sampler !== undefined) return this.sampler
    const metrics = part(part(part(posted, 'spec'), 'spec'), 'dataSchema')['metricsSpec'] as { type: string }[]
    return metrics.some(({ type }) => type === 'nonsense')
      ? replay('supervisor-post-bad-unknown-type')
      : json({ numRowsRead: 0, numRowsIndexed: 0, data: [] })
  }

  /** As a 33.0.0 that never had a lookup answers. */
  #lookupOf(
    tier: string | undefined,
    name: string | undefined,
    method: string,
    body: string,
  ): { status: number; text: string } {
    if (tier === undefined || name === undefined) {
      this.lookups ??= new Map()
      return { status: 202, text: '{}' }
    }
    const key = `${tier}/${name}`
    const live = this.lookups?.get(key)
    if (method === 'POST') {
      if (this.lookups === undefined)
        return {
          status: 500,
          text: '{"error":"Not initialized. If this is the first lookup, post an empty map to initialize"}',
        }
      const posted = JSON.parse(body) as Lookup
      if (name === 'refused') return { status: 400, text: '{"error":"no such lookup"}' }
      if (live !== undefined && posted.version <= live.version)
        return {
          status: 500,
          text: `{"error":"given update for lookup [${tier}]:[${name}] can't replace existing spec"}`,
        }
      this.lookups.set(key, posted)
      return { status: 202, text: '' }
    }
    if (live === undefined) return { status: 404, text: `{"error":"lookup [${name}] not found"}` }
    if (method === 'GET') return json(live)
    this.lookups?.delete(key)
    return { status: 202, text: '' }
  }

  #rulesOf(dataSource: string, method: string, body: string): { status: number; text: string } {
    if (method === 'GET') return json((this.rules.get(dataSource) ?? []).map((rule) => ({ ...RULE_DEFAULTS, ...rule })))
    const rules = JSON.parse(body) as Spec[]
    if (rules.some(({ type }) => String(type).startsWith('broadcast'))) return replay('rules-post-bad')
    this.rules.set(dataSource, rules)
    return { status: 200, text: '' }
  }

  #compactionOf(dataSource: string, method: string, body: string): { status: number; text: string } {
    const config = this.compactions.get(dataSource)
    if (method === 'POST') {
      this.compactions.set(dataSource, JSON.parse(body) as Spec)
      return json({ success: true })
    }
    if (config === undefined) return replay('compaction-overlord-get-404')
    if (method === 'GET') return json({ type: 'inline', taskPriority: 25, engine: null, ...config })
    this.compactions.delete(dataSource)
    return json({ success: true })
  }

  /** All, in the state that the status of each one has. */
  #overview(): { status: number; text: string } {
    if (this.refusesOverview) return { status: 403, text: 'Unauthorized' }
    const entries = [...this.supervisors].map(([id, supervisor]) => {
      const { payload } = JSON.parse(this.#status(supervisor.suspended).text) as { payload: Spec }
      const { state, detailedState, healthy } = payload
      // `suspended` is false whatever the supervisor is, as that of 33.0.0
      return { id, state, detailedState, healthy, suspended: false, spec: echo(supervisor) }
    })
    return json(entries)
  }

  #status(suspended: boolean): { status: number; text: string } {
    const answer = replay(this.status ?? (suspended ? 'supervisor-status-suspended' : 'supervisor-status-running'))
    if (this.unread === undefined) return answer
    const body = JSON.parse(answer.text) as { payload: { activeTasks: { startingOffsets: Record<string, number> }[] } }
    for (const task of body.payload.activeTasks) delete task.startingOffsets[this.unread]
    return json(body)
  }

  #switch(
    id: string,
    supervisor: { spec: Spec; suspended: boolean },
    suspended: boolean,
  ): { status: number; text: string } {
    if (supervisor.suspended === suspended) {
      const answer = replay(suspended ? 'supervisor-suspend-again' : 'supervisor-resume-again')
      return { ...answer, text: answer.text.replace('[ops]', `[${id}]`) }
    }
    supervisor.suspended = suspended
    this.#remember(id, echo({ spec: supervisor.spec, suspended }))
    return json(echo({ spec: supervisor.spec, suspended }))
  }

  #post(posted: Spec, skip: boolean): { status: number; text: string } {
    const inner = part(posted, 'spec')
    const id = String(part(inner, 'dataSchema')['dataSource'])
    const metrics = part(inner, 'dataSchema')['metricsSpec'] as { type: string }[]
    if (metrics.some(({ type }) => type === 'nonsense')) return replay('supervisor-post-bad-unknown-type')
    if (part(inner, 'ioConfig')['topic'] === undefined) return replay('supervisor-post-bad-no-topic')
    if (metrics.some(({ type }) => type === 'deadly')) {
      this.supervisors.delete(id)
      return replay('supervisor-post-bad-taskCount-negative')
    }
    const before = this.supervisors.get(id)
    const suspended = posted['suspended'] === true
    const next = { spec: posted, suspended, restarts: (before?.restarts ?? -1) + 1 }
    if (skip && before && JSON.stringify(echo(before)) === JSON.stringify(echo(next))) return json({ id })
    this.supervisors.set(id, next)
    this.#remember(id, echo(next))
    return json({ id })
  }

  #remember(id: string, spec: Spec): void {
    this.#version += 1
    this.history.set(id, [
      { spec, version: `2026-11-21T07:00:00.${String(this.#version).padStart(3, '0')}Z` },
      ...(this.history.get(id) ?? []),
    ])
  }
}

const RULE_DEFAULTS = { includeFuture: true, useDefaultTierForNull: true }

/** What GET answers: the recorded defaults under what was posted, the inner objects twice. */
function echo({ spec, suspended }: { spec: Spec; suspended: boolean }): Spec {
  const template = part(recorded('supervisor-get').response.json as Spec, 'spec')
  const inner = part(spec, 'spec')
  const { dimensionsSpec, metricsSpec, ...schemaDefaults } = part(template, 'dataSchema')
  const posted = part(inner, 'dataSchema')
  const full = {
    dataSchema: {
      ...schemaDefaults,
      ...posted,
      timestampSpec: { missingValue: null, ...part(posted, 'timestampSpec') },
      dimensionsSpec: {
        includeAllDimensions: false,
        useSchemaDiscovery: false,
        ...part(posted, 'dimensionsSpec'),
        dimensionExclusions: ['__time'],
      },
    },
    ioConfig: { ...part(template, 'ioConfig'), ...part(inner, 'ioConfig') },
    tuningConfig: { ...part(template, 'tuningConfig'), ...part(inner, 'tuningConfig') },
  }
  return { type: spec['type'], spec: full, ...full, context: spec['context'] ?? {}, suspended }
}

function part(object: Spec, key: string): Spec {
  return (object[key] ?? {}) as Spec
}

function json(value: unknown): { status: number; text: string } {
  return { status: 200, text: JSON.stringify(value) }
}

function replay(name: string, id?: string): { status: number; text: string } {
  const { status, json: body, text } = recorded(name).response
  const said = text ?? JSON.stringify(body)
  return { status, text: id === undefined ? said : said.replace('[nope]', `[${id}]`) }
}
