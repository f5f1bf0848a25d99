import type { HttpAnswer, HttpClient, OutgoingRequest } from '../../../runtime/ports/http-client.ts'
import { FakeTable, type FakeColumn } from './fake-table.ts'
import { FakeStatement, type FakeWorld, type StatementAnswer, type StatementEngine } from './fake-warehouse.ts'

export type Mishap =
  /** The call does not come. */
  | 'lost call'
  /** The call is carried out, and its answer gets lost. */
  | 'lost answer'
  /** The caller hears nothing, and the call is carried out some calls later. */
  | 'late'
  /** A statement goes on by one moment with some of the calls that somebody makes. */
  | 'slow'
  | 'slow and lost'
  | 'busy'
  | 'broken'

export const TOKEN = 'dapi-secret'
export const CLIENT = { id: 'principal', secret: 'principal-secret' }
export const WAREHOUSE = 'abc123'

/** How many calls come between two moments of a slow statement. */
const PAUSES: readonly number[] = [0, 0, 0, 1, 3, 9, 27]

/**
 * A Databricks workspace in memory, made from the published pages of its REST interface; nobody has compared it with a
 * real one. It knows the calls and statements that Millrace makes, and answers everything else with an error.
 */
export class FakeDatabricks implements HttpClient, FakeWorld {
  /** Where it is, which links to results begin with. */
  url = 'http://localhost:1'
  readonly tables = new Map<string, FakeTable>()
  readonly files = new Map<string, Uint8Array>()
  readonly folders = new Set<string>(['/Volumes/main/sales/stage'])
  readonly statements = new Map<string, FakeStatement>()
  /** Every call, as `METHOD path`. */
  readonly calls: string[] = []
  /** What happens to the next calls; undefined: nothing. */
  readonly mishaps: (Mishap | undefined)[] = []
  /** What happens to the next calls that bring a statement. */
  readonly statementMishaps: Mishap[] = []
  /** Names of a page of a folder. */
  pageSize = 2
  engine: StatementEngine | undefined
  /** Whether most statements are slow. */
  isLoaded = false
  /** Called before each call is answered, with `METHOD path`. It may take its time. */
  onCall: ((call: string) => void | Promise<void>) | undefined
  /** Access tokens of OAuth that are good. */
  readonly tokens = new Set<string>()
  /** Statuses and bodies that calls whose `METHOD path` begins so are answered by instead. */
  readonly answers: { readonly to: string; readonly answer: HttpAnswer }[] = []
  /** Rows of a chunk of a result. */
  chunkRows = 3
  /** Links that were made before it changed are refused. */
  linkKey = 1
  readonly #late: { readonly request: OutgoingRequest; calls: number }[] = []
  readonly #pauses = new Map<FakeStatement, number>()
  readonly #linked = new Set<string>()
  #seed = 1
  #nextId = 1
  #underWay = 0

  /** Fakes of different seeds have statements that go on at other times. */
  constructor(seed = 1) {
    this.#seed = seed
  }

  addTable(name: string, columns: readonly FakeColumn[]): FakeTable {
    const table = new FakeTable(`table-${this.#nextId++}`, columns)
    this.tables.set(name, table)
    return table
  }

  /** Whether a call has no answer yet. */
  get isBusy(): boolean {
    return this.#underWay > 0
  }

  async send(request: OutgoingRequest): Promise<HttpAnswer> {
    this.#underWay++
    try {
      return await this.#send(request)
    } finally {
      this.#underWay--
    }
  }

  async #send(request: OutgoingRequest): Promise<HttpAnswer> {
    request.signal.throwIfAborted()
    const call = `${request.method} ${new URL(request.url).pathname}`
    this.calls.push(call)
    await this.onCall?.(call)
    request.signal.throwIfAborted()
    await this.#goOn()
    const mishap = this.#nextMishap(call)
    switch (mishap) {
      case 'lost call':
        throw new Error('connection refused')
      case 'late':
        this.#late.push({ request, calls: this.#nextPause() })
        throw new Error('connection reset')
      case 'busy':
        return {
          status: 429,
          body: '{"error_code":"RESOURCE_EXHAUSTED","message":"busy"}',
          headers: { 'retry-after': '1' },
        }
      case 'broken':
        return { status: 503, body: '{"error_code":"TEMPORARILY_UNAVAILABLE","message":"down"}' }
      default: {
        const answer = await this.#answer(request, mishap === 'slow' || mishap === 'slow and lost' || this.#isBusy())
        if (mishap === 'lost answer' || mishap === 'slow and lost') throw new Error('connection reset')
        return answer
      }
    }
  }

  #nextMishap(call: string): Mishap | undefined {
    if (call.endsWith('/oidc/v1/token')) return undefined
    const mishap = this.mishaps.shift()
    return mishap ?? (call.startsWith('POST') ? this.statementMishaps.shift() : undefined)
  }

  /** Carries out what is late, and ends what runs. */
  async settle(): Promise<void> {
    for (const { request } of this.#late.splice(0)) await this.#answer(request, false)
    for (const statement of this.statements.values()) await statement.finish()
  }

  async #goOn(): Promise<void> {
    for (const one of [...this.#late])
      if (one.calls-- === 0) {
        this.#late.splice(this.#late.indexOf(one), 1)
        await this.#answer(one.request, true)
      }
    for (const statement of this.statements.values()) {
      const pause = this.#pauses.get(statement) ?? 0
      if (statement.hasEnded) continue
      if (pause > 0) this.#pauses.set(statement, pause - 1)
      else {
        await statement.step()
        this.#pauses.set(statement, this.#nextPause())
      }
    }
  }

  #isBusy(): boolean {
    return this.isLoaded && this.#nextPause() > 0
  }

  /** Some moments of a slow statement follow each other, and some come much later. */
  #nextPause(): number {
    this.#seed = (Math.imul(this.#seed, 1_103_515_245) + 12_345) >>> 0
    return PAUSES[(this.#seed >>> 16) % PAUSES.length] ?? 0
  }

  async #answer(request: OutgoingRequest, isSlow: boolean): Promise<HttpAnswer> {
    const { method, url, headers } = request
    const { pathname: path, searchParams } = new URL(url)
    const instead = this.answers.find(({ to }) => `${method} ${path}`.startsWith(to))
    if (instead !== undefined) return instead.answer
    if (path.startsWith('/storage/')) return this.#stored(request)
    if (path === '/oidc/v1/token') return this.#giveToken(request)
    const token = headers['authorization']?.replace('Bearer ', '') ?? ''
    if (token !== TOKEN && !this.tokens.has(token)) return refusal(401, 'UNAUTHENTICATED', 'the token is not known')
    const name = decodeURIComponent(path)
    if (method === 'POST' && path === '/api/2.0/sql/statements/') return this.#submit(bodyOf(request), isSlow)
    const statement = /^\/api\/2\.0\/sql\/statements\/([^/]+)$/.exec(path)?.[1]
    if (method === 'GET' && statement !== undefined) return this.#statement(statement)
    const chunk = /^\/api\/2\.0\/sql\/statements\/([^/]+)\/result\/chunks\/(\d+)$/.exec(path)
    if (method === 'GET' && chunk !== null) return this.#chunk(chunk[1] ?? '', Number(chunk[2]))
    if (path.startsWith('/api/2.0/fs/files/')) return this.#file(method, name.slice(17), request.bytes)
    if (path.startsWith('/api/2.0/fs/directories/'))
      return this.#folder(method, name.slice(23), searchParams.get('page_token'))
    const table = /^\/api\/2\.1\/unity-catalog\/tables\/(.+)$/.exec(name)?.[1]
    if (method === 'GET' && table !== undefined) return this.#table(table)
    if (method === 'GET' && path === `/api/2.0/sql/warehouses/${WAREHOUSE}`)
      return json({ id: WAREHOUSE, name: 'shared', state: 'STOPPED' })
    return refusal(404, 'ENDPOINT_NOT_FOUND', `the fake knows no ${method} ${path}`)
  }

  #giveToken({ headers, body = '' }: OutgoingRequest): HttpAnswer {
    const basic = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`
    const form = new URLSearchParams(body)
    const isSound = form.get('grant_type') === 'client_credentials' && form.get('scope') === 'all-apis'
    if (headers['authorization'] !== basic || !isSound)
      return { status: 401, body: '{"error":"invalid_client","error_description":"Client authentication failed"}' }
    const token = `oauth-${this.#nextId++}`
    this.tokens.add(token)
    return json({ access_token: token, token_type: 'Bearer', expires_in: 3600 })
  }

  async #submit(body: Readonly<Record<string, unknown>>, isSlow: boolean): Promise<HttpAnswer> {
    if (body['warehouse_id'] !== WAREHOUSE)
      return refusal(404, 'RESOURCE_DOES_NOT_EXIST', `SQL warehouse ${String(body['warehouse_id'])} does not exist`)
    if (body['on_wait_timeout'] !== 'CONTINUE' || body['format'] !== 'JSON_ARRAY')
      return refusal(400, 'INVALID_PARAMETER_VALUE', JSON.stringify(body))
    const statement = new FakeStatement(`01ef-${this.#nextId++}`, String(body['statement']), this)
    if (body['disposition'] === 'EXTERNAL_LINKS') this.#linked.add(statement.id)
    this.statements.set(statement.id, statement)
    if (!isSlow) await statement.finish()
    return this.#statement(statement.id)
  }

  #statement(id: string): HttpAnswer {
    const statement = this.statements.get(id)
    if (statement === undefined) return refusal(404, 'RESOURCE_DOES_NOT_EXIST', `statement ${id} was not found`)
    const { state, error, answer } = statement
    return json({
      statement_id: id,
      status: { state, ...(error === undefined ? {} : { error }) },
      ...(answer === undefined
        ? {}
        : {
            manifest: {
              format: 'JSON_ARRAY',
              schema: { columns: answer.columns.map((name, position) => ({ name, position })) },
              total_row_count: answer.rows.length,
              truncated: false,
            },
            result: this.#linked.has(id)
              ? { external_links: answer.rows.length === 0 ? [] : [this.#linkOf(id, answer, 0)] }
              : { chunk_index: 0, row_offset: 0, row_count: answer.rows.length, data_array: answer.rows },
          }),
    })
  }

  #chunk(id: string, index: number): HttpAnswer {
    const answer = this.statements.get(id)?.answer
    if (answer === undefined) return refusal(404, 'NOT_FOUND', `the result of ${id} is not kept`)
    return json({ external_links: [this.#linkOf(id, answer, index)] })
  }

  #linkOf(id: string, { rows }: StatementAnswer, index: number): object {
    const offset = index * this.chunkRows
    const count = Math.min(this.chunkRows, rows.length - offset)
    return {
      chunk_index: index,
      row_offset: offset,
      row_count: count,
      external_link: `${this.url}/storage/${id}/${index}?key=${this.linkKey}`,
      ...(offset + count < rows.length ? { next_chunk_index: index + 1 } : {}),
    }
  }

  /** The storage of the workspace, which refuses links that are too old. */
  #stored({ url, headers }: OutgoingRequest): HttpAnswer {
    const { pathname, searchParams } = new URL(url)
    const [, id = '', index] = /^\/storage\/([^/]+)\/(\d+)$/.exec(pathname) ?? []
    if (Object.hasOwn(headers, 'authorization')) return { status: 400, body: '<Error>no logins here</Error>' }
    if (searchParams.get('key') !== String(this.linkKey)) return { status: 403, body: '<Error>AccessDenied</Error>' }
    const from = Number(index) * this.chunkRows
    const rows = this.statements.get(id)?.answer?.rows.slice(from, from + this.chunkRows)
    return rows === undefined ? { status: 404, body: '<Error>NoSuchKey</Error>' } : json(rows)
  }

  #file(method: string, path: string, bytes: Uint8Array | undefined): HttpAnswer {
    const folder = path.slice(0, path.lastIndexOf('/'))
    if (method === 'PUT' && bytes !== undefined) {
      if (!this.folders.has(folder)) return refusal(404, 'NOT_FOUND', `no folder ${folder}`)
      this.files.set(path, bytes)
      this.engine?.put(path, bytes)
      return { status: 204, body: '' }
    }
    if (method === 'DELETE') {
      this.engine?.delete(path)
      return this.files.delete(path) ? { status: 204, body: '' } : refusal(404, 'NOT_FOUND', `no file ${path}`)
    }
    return refusal(400, 'INVALID', `the fake does not ${method} a file`)
  }

  #folder(method: string, folder: string, token: string | null): HttpAnswer {
    if (method === 'PUT') {
      for (let at = folder; at.length > '/Volumes'.length; at = at.slice(0, at.lastIndexOf('/'))) this.folders.add(at)
      return { status: 204, body: '' }
    }
    if (!this.folders.has(folder)) return refusal(404, 'NOT_FOUND', `no folder ${folder}`)
    const all = [...this.files.keys()].filter((path) => path.startsWith(`${folder}/`)).toSorted()
    const from = token === null ? 0 : all.findIndex((path) => path > token)
    const page = from < 0 ? [] : all.slice(from, from + this.pageSize)
    const more = from >= 0 && from + page.length < all.length ? page.at(-1) : undefined
    return json({
      contents: page.map((path) => ({ path, name: path.slice(path.lastIndexOf('/') + 1), is_directory: false })),
      ...(more === undefined ? {} : { next_page_token: more }),
    })
  }

  #table(name: string): HttpAnswer {
    const table = this.tables.get(name)
    if (table === undefined) return refusal(404, 'TABLE_DOES_NOT_EXIST', `Table '${name}' does not exist.`)
    return json({
      name,
      table_id: table.id,
      table_type: 'MANAGED',
      data_source_format: 'DELTA',
      columns: table.columns.map(({ name: column, type, nullable }) => ({ name: column, type_text: type, nullable })),
    })
  }
}

function bodyOf({ body = '' }: OutgoingRequest): Readonly<Record<string, unknown>> {
  return JSON.parse(body) as Readonly<Record<string, unknown>>
}

function json(value: object): HttpAnswer {
  return { status: 200, body: JSON.stringify(value), headers: { 'content-type': 'application/json' } }
}

function refusal(status: number, code: string, message: string): HttpAnswer {
  return { status, body: JSON.stringify({ error_code: code, message }) }
}
