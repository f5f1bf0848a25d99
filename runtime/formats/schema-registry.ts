import { MillraceError } from '../model/errors.ts'
import type { OpenedFile } from '../graph/connector-declaration.ts'
import { joinRelative } from '../graph/problems.ts'
import { namedTlsFiles, readTlsFiles } from '../graph/tls-files.ts'
import type { ReportOption } from '../graph/unknown-options.ts'
import type { TlsFiles } from '../model/tls-files.ts'
import type { FormatContext } from './format.ts'
import { shownValue } from './options.ts'

const PATIENCE_MS = 10_000
const MIME = 'application/vnd.schemaregistry.v1+json'
/** Before a record in the wire format: a zero byte and the id of the schema (Confluent, "Wire Format"). */
export const WIRE_HEADER_BYTES = 5

/** What a registry says of an id that it does not know; any other 404 is of an address that is none of a registry. */
const NO_SUCH_SCHEMA = 40403
/** Asked too slowly, or too often. */
const PASSING: ReadonlySet<number> = new Set([408, 429])
/** Not compatible; not valid. */
const OF_SCHEMA: ReadonlySet<number> = new Set([409, 422])
const ADDRESS_HINT = 'Check the address of the registry, and that it lets this job ask.'

/** A schema as a registry keeps it. */
export interface RegisteredSchema {
  kind: 'AVRO' | 'PROTOBUF' | 'JSON'
  text: string
}

/** Where a registry is and how it is connected to, as the options `registry` and `tls` of a format say. */
export interface RegistryOptions {
  url: string
  tls?: TlsFiles
}

/** Reads both options; undefined when no registry is written, and after reporting. */
export function readRegistry(
  { registry, tls }: Readonly<Record<string, unknown>>,
  problem: ReportOption,
): RegistryOptions | undefined {
  const wrong = registryProblem(registry)
  if (wrong !== undefined) problem('registry', wrong)
  const files =
    tls === undefined ? undefined : readTlsFiles(tls, (path, ...rest) => problem(joinRelative('tls', path), ...rest))
  if (tls !== undefined && registry === undefined) problem('tls', 'belongs beside a registry')
  if (typeof registry !== 'string' || wrong !== undefined) return undefined
  return { url: registry, ...(files === undefined ? {} : { tls: files }) }
}

/** The files that a format opens for its registry; `format` is the format's name. */
export function registryFiles(format: string, registry: RegistryOptions | undefined): readonly OpenedFile[] {
  return namedTlsFiles(registry?.tls ?? {}).map((one) => ({ ...one, path: `${format}.tls.${one.path}` }))
}

/** A schema registry that speaks Confluent's REST API (Confluent, Karapace, Apicurio's compatible endpoint). */
export class SchemaRegistry {
  readonly #url: string
  readonly #tls: TlsFiles | undefined
  readonly #ports: FormatContext['ports']

  constructor({ url, tls }: RegistryOptions, ports: FormatContext['ports']) {
    this.#url = url.replace(/\/+$/, '')
    this.#tls = tls
    this.#ports = ports
  }

  /**
   * Throws SCHEMA_UNKNOWN, a mistake of the record that names it, only when the registry itself says that it has
   * none of that id; REGISTRY_UNAVAILABLE (retriable) and REGISTRY_REFUSED say nothing of records.
   */
  async schema(id: number): Promise<RegisteredSchema> {
    const path = `/schemas/ids/${id}`
    const answer = await this.#ask('GET', path)
    if (answer.status === 404 && this.#parsed(answer)['error_code'] === NO_SUCH_SCHEMA)
      throw new MillraceError('SCHEMA_UNKNOWN', `the schema registry at ${this.#url} has no schema ${id}`, {
        domain: 'user',
      })
    const { schema, schemaType = 'AVRO' } = this.#fields(path, answer)
    if (typeof schema !== 'string' || (schemaType !== 'AVRO' && schemaType !== 'PROTOBUF' && schemaType !== 'JSON'))
      throw this.#refused(path, answer)
    return { kind: schemaType, text: schema }
  }

  /**
   * The id of the schema under the subject, after registering it where it is new. Throws REGISTRY_REFUSED when it
   * does not fit the older ones.
   */
  async register(subject: string, { kind, text }: RegisteredSchema): Promise<number> {
    const answer = await this.#ask(
      'POST',
      `/subjects/${encodeURIComponent(subject)}/versions`,
      JSON.stringify({ schema: text, ...(kind === 'AVRO' ? {} : { schemaType: kind }) }),
    )
    const what = `registering subject ${subject}`
    const { id } = this.#fields(what, answer)
    if (typeof id !== 'number') throw this.#refused(what, answer)
    return id
  }

  async #ask(method: 'GET' | 'POST', path: string, body?: string): Promise<{ status: number; body: string }> {
    const controller = new AbortController()
    const cancel = this.#ports.clock.after(PATIENCE_MS, () => {
      controller.abort(new Error(`no answer within ${PATIENCE_MS} ms`))
    })
    try {
      const answer = await this.#ports.httpClient.send({
        method,
        url: `${this.#url}${path}`,
        headers: { accept: MIME, ...(body === undefined ? {} : { 'content-type': MIME }) },
        signal: controller.signal,
        tls: this.#tls,
        ...(body === undefined ? {} : { body }),
      })
      if (answer.status >= 500 || PASSING.has(answer.status))
        throw new Error(`it answered ${answer.status}: ${answer.body.slice(0, 200)}`)
      return answer
    } catch (cause) {
      throw new MillraceError(
        'REGISTRY_UNAVAILABLE',
        `the schema registry at ${this.#url} cannot be asked for ${path}`,
        { domain: 'dependency', retriable: true, cause },
      )
    } finally {
      cancel()
    }
  }

  #fields(what: string, answer: { status: number; body: string }): Readonly<Record<string, unknown>> {
    if (answer.status !== 200) throw this.#refused(what, answer)
    return this.#parsed(answer)
  }

  #parsed({ status, body }: { status: number; body: string }): Readonly<Record<string, unknown>> {
    try {
      return (JSON.parse(body) ?? {}) as Readonly<Record<string, unknown>>
    } catch (cause) {
      throw new MillraceError(
        'REGISTRY_REFUSED',
        `what the schema registry at ${this.#url} answered with status ${status} is not JSON: ${body.slice(0, 200)}`,
        { domain: 'dependency', cause, hint: ADDRESS_HINT },
      )
    }
  }

  #refused(what: string, { status, body }: { status: number; body: string }): MillraceError {
    const ofSchema = OF_SCHEMA.has(status)
    return new MillraceError(
      'REGISTRY_REFUSED',
      `the schema registry at ${this.#url} refused ${what} with status ${status}: ${body.slice(0, 300)}`,
      {
        domain: ofSchema ? 'user' : 'dependency',
        hint: ofSchema
          ? 'A schema that is not compatible with the older ones of its subject is refused; the compatibility level of the subject decides.'
          : ADDRESS_HINT,
      },
    )
  }
}

/** The option `registry`: an http(s) address without credentials. */
function registryProblem(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    return `must be an http or https address, found ${shownValue(value)}`
  return url.username === '' && url.password === '' ? undefined : 'must not carry a password: specs are read by many'
}
