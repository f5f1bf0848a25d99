import { clipped } from '../../model/clipped.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields, membersOf } from '../../model/fields.ts'
import type { DatabricksService } from './service.ts'

/** A workspace that stays away longer restarts the job, which then waits and reports. */
const PATIENCE_MS = 60_000
/** A folder of this sink has a few files of each writer; an answer that goes on for ever is none. */
const MOST_ENTRIES = 1_000_000

/**
 * Files of a folder of a volume.
 * Sources: "Files" of the REST reference (docs.databricks.com/api/workspace/files) and docs/workspace/files/files.rst of
 * databricks/databricks-sdk-py.
 */
export class Volume {
  readonly #service: DatabricksService
  /** `/Volumes/catalog/schema/volume/folder`. */
  readonly path: string

  constructor(service: DatabricksService, path: string) {
    this.#service = service
    this.path = path
  }

  /** Makes a folder and those above it. */
  async makeFolder(folder: string): Promise<void> {
    await this.#service.retry('making a folder of a volume', PATIENCE_MS, () =>
      this.#service.call({ method: 'PUT', path: this.#address('directories', folder) }),
    )
  }

  /** Writes a whole file. A try whose answer is lost may be carried out late, and then writes the same again. */
  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#service.retry('writing a file of a volume', PATIENCE_MS, () => this.putOnce(name, bytes))
  }

  /** As `put`, with a single try. */
  async putOnce(name: string, bytes: Uint8Array): Promise<void> {
    await this.#service.call({ method: 'PUT', path: `${this.#address('files', name)}?overwrite=true`, bytes })
  }

  /** Deletes a file; one that is not there is deleted. */
  async delete(name: string): Promise<void> {
    await this.#service.retry('deleting a file of a volume', PATIENCE_MS, async () => {
      const answer = await this.#service.ask({ method: 'DELETE', path: this.#address('files', name) })
      if (answer.status !== 404 && (answer.status < 200 || answer.status > 299)) throw this.#service.refused(answer)
    })
  }

  /** Returns the names of the files in a folder; none where there is no folder. */
  async list(folder: string): Promise<Set<string>> {
    const names = new Set<string>()
    let token: string | undefined
    do {
      const page = await this.#page(folder, token)
      for (const name of page.names) names.add(name)
      token = page.next
      if (names.size > MOST_ENTRIES)
        throw new MillraceError('DATABRICKS_ANSWER', `${this.path}/${folder} has more than ${MOST_ENTRIES} files`, {
          domain: 'user',
          hint: 'Give the sink a folder of its own.',
        })
    } while (token !== undefined)
    return names
  }

  async #page(folder: string, token: string | undefined): Promise<{ names: string[]; next: string | undefined }> {
    const query = token === undefined ? '' : `?page_token=${encodeURIComponent(token)}`
    const path = `${this.#address('directories', folder)}${query}`
    const body = await this.#service.retry('listing a folder of a volume', PATIENCE_MS, async () => {
      const answer = await this.#service.ask({ method: 'GET', path })
      if (answer.status === 404 && token === undefined) return '{}'
      if (answer.status !== 200) throw this.#service.refused(answer)
      return answer.body
    })
    const { contents = [], next_page_token: next } = membersOf(parsed(body))
    const isSound =
      Array.isArray(contents) && contents.every(isFields) && (next === undefined || typeof next === 'string')
    // a page that names itself as the next one would be asked for without end
    if (!isSound || (next !== undefined && next === token)) throw this.#service.unreadable(path, body)
    const files = contents.filter((entry) => entry['is_directory'] !== true)
    return { names: files.map((entry) => baseName(entry)), next: next === '' ? undefined : next }
  }

  #address(kind: 'files' | 'directories', name: string): string {
    const path = `${this.path}/${name}`.split('/').map(encodeURIComponent).join('/')
    return `/api/2.0/fs/${kind}${path}`
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new MillraceError('DATABRICKS_ANSWER', `a folder of a volume was answered by: ${clipped(body)}`, {
      domain: 'dependency',
      retriable: true,
      cause,
    })
  }
}

function baseName({ name, path }: { readonly [member: string]: unknown }): string {
  return typeof name === 'string' ? name : String(path).slice(String(path).lastIndexOf('/') + 1)
}
