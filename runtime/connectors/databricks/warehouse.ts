import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields, membersOf, type Fields } from '../../model/fields.ts'
import type { HttpAnswer } from '../../ports/http-client.ts'
import { sleep } from '../../ports/clock.ts'
import type { DatabricksService } from './service.ts'

/**
 * Sources: "Statement Execution" of the REST reference (docs.databricks.com/api/workspace/statementexecution) and
 * docs/workspace/sql/statement_execution.rst of databricks/databricks-sdk-py. The path is that of the SDK.
 */
const STATEMENTS = '/api/2.0/sql/statements/'
/** The longest that a call may wait is 50 s. */
const WAIT = '30s'
const FIRST_POLL_MS = 250
const LONGEST_POLL_MS = 5000
/** A workspace that does not say what became of a statement for longer leaves its outcome unknown. */
const POLL_PATIENCE_MS = 60_000
const ID = /^[A-Za-z0-9-]{1,100}$/

export interface Parameter {
  readonly name: string
  readonly value: string
  readonly type: 'STRING' | 'BIGINT'
}

export interface Statement {
  readonly text: string
  readonly parameters?: readonly Parameter[]
  /** Results of more than 25 MiB need links. */
  readonly disposition?: 'INLINE' | 'EXTERNAL_LINKS'
}

/** A statement that has succeeded. */
export interface Executed {
  readonly id: string
  readonly manifest: Fields
  /** Its first chunk. */
  readonly result: Fields
}

/** Nobody knows whether the statement ran, runs, or is still to run. */
export class OutcomeUnknown extends MillraceError {
  constructor(url: string, why: string, cause?: unknown) {
    super('DATABRICKS_OUTCOME_UNKNOWN', `the Databricks at ${url} does not say what became of a statement: ${why}`, {
      domain: 'dependency',
      retriable: true,
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

/**
 * A statement that has ended in failure: nothing of it happens any more. `errorClass` is the word in brackets that its
 * message begins with.
 */
export class StatementFailed extends MillraceError {
  readonly errorClass: string

  constructor(url: string, state: string, error: Fields) {
    const { error_code: code, message } = error
    const words = [code, message].filter((word) => typeof word === 'string').join(': ')
    const errorClass = /\[([A-Z0-9_.]+)\]/.exec(String(message ?? ''))?.[1] ?? ''
    const isLater = LATER.has(String(code)) || isConflict(errorClass, String(message ?? ''))
    super(
      isLater ? 'DATABRICKS_STATEMENT_DELAYED' : 'DATABRICKS_STATEMENT_FAILED',
      `a statement of the Databricks at ${url} ended ${state}${words === '' ? '' : `: ${clipped(words, 1000)}`}`,
      { domain: USERS.has(errorClass) ? 'user' : 'dependency', retriable: isLater, ...hintFor(errorClass) },
    )
    this.errorClass = errorClass
  }
}

/** `ServiceErrorCode` of the SDK: what the service is short of for a while. */
const LATER: ReadonlySet<string> = new Set([
  'ABORTED',
  'DEADLINE_EXCEEDED',
  'IO_ERROR',
  'RESOURCE_EXHAUSTED',
  'SERVICE_UNDER_MAINTENANCE',
  'TEMPORARILY_UNAVAILABLE',
  'WORKSPACE_TEMPORARILY_UNAVAILABLE',
])

/** Another transaction was faster. Source: "Conflict exceptions" of the pages about isolation levels. */
function isConflict(errorClass: string, message: string): boolean {
  return (
    /^DELTA_(?:CONCURRENT_|METADATA_CHANGED|PROTOCOL_CHANGED)/.test(errorClass) ||
    /\b(?:Concurrent(?:Append|Delete(?:Read|Delete)|Write|Transaction)|MetadataChanged|ProtocolChanged)Exception\b/.test(
      message,
    )
  )
}

const USERS: ReadonlySet<string> = new Set([
  'TABLE_OR_VIEW_NOT_FOUND',
  'INSUFFICIENT_PERMISSIONS',
  'CAST_OVERFLOW',
  'DELTA_NOT_NULL_CONSTRAINT_VIOLATED',
  'DELTA_VIOLATE_CONSTRAINT_WITH_VALUES',
])

function hintFor(errorClass: string): { hint?: string } {
  if (errorClass === 'INSUFFICIENT_PERMISSIONS')
    return { hint: 'docs/databricks.md lists the privileges that the login of the job needs.' }
  if (errorClass === 'TABLE_OR_VIEW_NOT_FOUND') return { hint: 'Make the table, or write its name as it is.' }
  return {}
}

/** Runs statements on a SQL warehouse. */
export class Warehouse {
  readonly #service: DatabricksService
  readonly #id: string

  constructor(service: DatabricksService, id: string) {
    this.#service = service
    this.#id = id
  }

  /**
   * Resolves when the statement has succeeded. Rejects with StatementFailed when it has failed; with OutcomeUnknown when
   * it may still run; and as DatabricksService does when it was not accepted.
   */
  async execute(statement: Statement): Promise<Executed> {
    let answer = await this.#submit(statement)
    let waitMs = FIRST_POLL_MS
    for (;;) {
      const { statement_id: id, status, manifest, result } = answer
      const { state, error } = membersOf(status)
      switch (state) {
        case 'SUCCEEDED':
          return { id: String(id), manifest: membersOf(manifest), result: membersOf(result) }
        case 'PENDING':
        case 'RUNNING':
          break
        case 'FAILED':
        case 'CANCELED':
          throw new StatementFailed(this.#service.url, state, membersOf(error))
        default:
          // CLOSED among them, of which the pages say that it has succeeded: a repetition makes sure
          throw this.#unknown(`it is in the state ${clipped(JSON.stringify(state) ?? 'undefined')}`)
      }
      await sleep(this.#service.clock, waitMs)
      this.#service.signal.throwIfAborted()
      waitMs = Math.min(waitMs * 2, LONGEST_POLL_MS)
      answer = await this.#poll(String(id))
    }
  }

  /** Returns a later chunk of the result of a statement. */
  async chunk(id: string, index: number): Promise<Fields> {
    return membersOf(await this.#service.json({ method: 'GET', path: `${STATEMENTS}${id}/result/chunks/${index}` }))
  }

  /** Resolves with a few words about the warehouse. Changes nothing, and starts nothing. */
  async look(): Promise<string> {
    const { state, name } = membersOf(
      await this.#service.json({ method: 'GET', path: `/api/2.0/sql/warehouses/${this.#id}` }),
    )
    return `warehouse ${clipped(String(name))} is ${clipped(String(state))}`
  }

  async #submit({ text, parameters = [], disposition = 'INLINE' }: Statement): Promise<Fields> {
    const json = {
      warehouse_id: this.#id,
      statement: text,
      wait_timeout: WAIT,
      on_wait_timeout: 'CONTINUE',
      disposition,
      format: 'JSON_ARRAY',
      ...(parameters.length === 0 ? {} : { parameters }),
    }
    let answer: HttpAnswer
    try {
      answer = await this.#service.ask({ method: 'POST', path: STATEMENTS, json })
    } catch (cause) {
      if (cause instanceof MillraceError && cause.code !== 'DATABRICKS_UNREACHABLE') throw cause
      throw this.#unknown('the call that brought it had no answer', cause)
    }
    const accepted = answer.status === 200 ? statementOf(answer.body) : undefined
    if (accepted !== undefined) return accepted
    const isRefused = answer.status !== 200 && answer.status < 500 && answer.status !== 408
    if (isRefused) throw this.#service.refused(answer)
    throw this.#unknown(`the answer to the call that brought it was ${answer.status}: ${clipped(answer.body)}`)
  }

  async #poll(id: string): Promise<Fields> {
    let answer: HttpAnswer
    try {
      answer = await this.#service.retry('asking for a statement', POLL_PATIENCE_MS, async () => {
        const found = await this.#service.ask({ method: 'GET', path: `${STATEMENTS}${id}` })
        const refusal = found.status === 200 ? undefined : this.#service.refused(found)
        if (refusal?.retriable === true) throw refusal
        return found
      })
    } catch (cause) {
      if (this.#service.signal.aborted) throw cause
      throw this.#unknown(`${id} cannot be asked for`, cause)
    }
    const found = answer.status === 200 ? statementOf(answer.body) : undefined
    if (found !== undefined) return found
    throw this.#unknown(`to a question for ${id} it answered ${answer.status}: ${clipped(answer.body)}`)
  }

  #unknown(why: string, cause?: unknown): OutcomeUnknown {
    return new OutcomeUnknown(this.#service.url, why, cause)
  }
}

/** Undefined for an answer that names no statement. */
function statementOf(body: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isFields(value) && ID.test(String(value['statement_id'])) ? value : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
