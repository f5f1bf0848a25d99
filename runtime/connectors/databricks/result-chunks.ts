import { MillraceError } from '../../model/errors.ts'
import { isFields, membersOf, type Fields } from '../../model/fields.ts'
import { DatabricksRefusal, type DatabricksService } from './service.ts'
import type { Executed, Warehouse } from './warehouse.ts'

/** A row of a result: the text of each column, or null. */
export type ResultRow = readonly (string | null)[]

/** Chunks have about 20 MB in the storage of Databricks. */
const LARGEST_CHUNK = 128 * 1024 * 1024

interface Link {
  readonly index: number
  readonly offset: number
  readonly rows: number
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly next: number | undefined
}

/** A result is kept no longer: its statement has to be run again. */
class ResultGone extends MillraceError {
  constructor(url: string, cause: unknown) {
    super('DATABRICKS_RESULT_GONE', `the Databricks at ${url} keeps the result of a statement no longer`, {
      domain: 'dependency',
      retriable: true,
      cause,
    })
  }
}

/**
 * The result of a statement, chunk by chunk, from where the workspace keeps it: links that hold for 15 minutes, to a
 * storage that must not see the login of the job. The result is kept for an hour.
 * Source: docs/workspace/sql/statement_execution.rst of databricks/databricks-sdk-py.
 */
export class ResultChunks {
  readonly #service: DatabricksService
  readonly #warehouse: Warehouse
  readonly #id: string
  readonly #columns: number
  #link: Link | undefined
  #next: number | undefined
  #read = 0
  /** The result was cut off at the largest size that there is. */
  readonly isTruncated: boolean

  constructor(service: DatabricksService, warehouse: Warehouse, executed: Executed, columns: number) {
    const { id, manifest, result } = executed
    this.#service = service
    this.#warehouse = warehouse
    this.#id = id
    this.#columns = columns
    this.isTruncated = manifest['truncated'] === true
    this.#link = this.#linkIn(result)
    this.#next = undefined
  }

  /** Resolves with the rows of the next chunk; undefined behind the last one. Rejects with DATABRICKS_RESULT_GONE. */
  async next(): Promise<readonly ResultRow[] | undefined> {
    const link = this.#link ?? (this.#next === undefined ? undefined : await this.#ask(this.#next))
    if (link === undefined) {
      if (this.isTruncated && this.#read === 0) throw this.#wrong('it was cut off before the first row')
      return undefined
    }
    if (link.offset !== this.#read)
      throw this.#wrong(`chunk ${link.index} begins at row ${link.offset}, not ${this.#read}`)
    const rows = await this.#rowsOf(link)
    this.#link = undefined
    this.#next = link.next
    this.#read += rows.length
    return rows
  }

  async #rowsOf(link: Link): Promise<readonly ResultRow[]> {
    const body = await this.#fetch(link)
    let value: unknown
    try {
      value = JSON.parse(body)
    } catch (cause) {
      throw this.#service.unreadable(`the link of chunk ${link.index}`, body, cause)
    }
    const isWhole =
      Array.isArray(value) && value.length === link.rows && value.every((row) => isRow(row, this.#columns))
    if (!isWhole) throw this.#wrong(`chunk ${link.index} has not ${link.rows} rows of ${this.#columns} texts`)
    return value as readonly ResultRow[]
  }

  /** A link that is refused may be too old: the workspace gives another one. */
  async #fetch(link: Link): Promise<string> {
    const first = await this.#service.follow(link.url, link.headers, LARGEST_CHUNK)
    if (first.status === 200) return first.body
    const fresh = await this.#ask(link.index)
    const second = await this.#service.follow(fresh.url, fresh.headers, LARGEST_CHUNK)
    if (second.status === 200) return second.body
    throw new MillraceError(
      'DATABRICKS_LINK_REFUSED',
      `the storage ${new URL(fresh.url).host} answered ${second.status} to a link to a result`,
      { domain: 'dependency', retriable: true, hint: 'The job needs a way to the storage of the workspace.' },
    )
  }

  async #ask(index: number): Promise<Link> {
    let answer: Fields
    try {
      answer = await this.#warehouse.chunk(this.#id, index)
    } catch (error) {
      if (error instanceof DatabricksRefusal && !error.retriable && error.status !== 401 && error.status !== 403)
        throw new ResultGone(this.#service.url, error)
      throw error
    }
    const link = this.#linkIn(answer)
    if (link?.index === index) return link
    throw this.#wrong(`it has no link to chunk ${index}`)
  }

  #linkIn(result: Fields): Link | undefined {
    const [first] = Array.isArray(result['external_links']) ? (result['external_links'] as unknown[]) : []
    if (first === undefined) return undefined
    const link = membersOf(first)
    const { chunk_index: index, row_offset: offset, row_count: rows, external_link: url, next_chunk_index: next } = link
    const headers = link['http_headers'] ?? {}
    const isSound =
      isCount(index) &&
      isCount(offset) &&
      isCount(rows) &&
      typeof url === 'string' &&
      URL.canParse(url) &&
      // a chunk that comes after itself would be read without end
      (next === undefined || next === null || (isCount(next) && next > index)) &&
      isFields(headers) &&
      Object.values(headers).every((value) => typeof value === 'string')
    if (!isSound) throw this.#wrong('a link to a chunk is none')
    return {
      index,
      offset,
      rows,
      url,
      headers: headers as Readonly<Record<string, string>>,
      next: next ?? undefined,
    }
  }

  #wrong(why: string): MillraceError {
    return new MillraceError('DATABRICKS_ANSWER', `the result of a statement of ${this.#service.url} is none: ${why}`, {
      domain: 'dependency',
      retriable: true,
    })
  }
}

function isRow(value: unknown, columns: number): value is ResultRow {
  return (
    Array.isArray(value) && value.length === columns && value.every((cell) => cell === null || typeof cell === 'string')
  )
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
