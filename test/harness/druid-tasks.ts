import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isFields } from '../../runtime/model/fields.ts'
import type { HttpAnswer, HttpClient, OutgoingRequest } from '../../runtime/ports/http-client.ts'

interface Task {
  readonly files: readonly string[]
  /** How often it is asked for until it has ended. */
  runsFor: number
  status: 'RUNNING' | 'SUCCESS' | 'FAILED'
}

/**
 * The batch tasks of one datasource, answered from memory as a real 33.0.0 does: a task replaces all rows by those of
 * its files, and its id is taken for ever.
 */
export class DruidTasks implements HttpClient {
  readonly #home: string
  readonly tasks = new Map<string, Task>()
  rows: Readonly<Record<string, unknown>>[] = []
  specs: Readonly<Record<string, unknown>>[] = []
  /** The next calls get lost, or their answers do. */
  readonly mishaps: ('lost call' | 'lost answer')[] = []
  /** How the next tasks end. */
  readonly endings: ('SUCCESS' | 'FAILED' | 'FAILED after publishing')[] = []

  /** Called before each call is answered. */
  onCall: (() => void) | undefined

  /** Buckets are folders of `home`. */
  constructor(home: string) {
    this.#home = home
  }

  async send(request: OutgoingRequest): Promise<HttpAnswer> {
    this.onCall?.()
    const mishap = this.mishaps.shift()
    if (mishap === 'lost call') throw new Error('connection refused')
    const answer = this.#answer(request)
    if (mishap === 'lost answer') throw new Error('connection reset')
    return answer
  }

  /** All tasks end although nobody asks for them. */
  runOut(): void {
    for (const task of this.tasks.values()) if (task.status === 'RUNNING') this.#end(task)
  }

  #answer({ method, url, body = '{}' }: OutgoingRequest): HttpAnswer {
    if (method === 'POST') return this.#submit(JSON.parse(body) as Readonly<Record<string, unknown>>)
    if (url.endsWith('/leader')) return { status: 200, body: 'http://overlord:8090' }
    const id = /\/task\/([^/]+)\/status$/.exec(url)?.[1] ?? ''
    const task = this.tasks.get(id)
    if (task === undefined) return { status: 404, body: '' }
    if (task.status === 'RUNNING' && --task.runsFor <= 0) this.#end(task)
    return {
      status: 200,
      body: JSON.stringify({
        task: id,
        status: { id, statusCode: task.status, errorMsg: task.status === 'FAILED' ? 'disk full' : null },
      }),
    }
  }

  #submit(spec: Readonly<Record<string, unknown>>): HttpAnswer {
    const id = String(spec['id'])
    if (this.tasks.has(id)) return { status: 400, body: JSON.stringify({ error: `Task[${id}] already exists` }) }
    this.specs.push(spec)
    this.tasks.set(id, { files: this.#filesOf(spec), runsFor: 2, status: 'RUNNING' })
    return { status: 200, body: JSON.stringify({ task: id }) }
  }

  #end(task: Task): void {
    const ending = this.endings.shift() ?? 'SUCCESS'
    task.status = ending === 'SUCCESS' ? 'SUCCESS' : 'FAILED'
    if (ending === 'FAILED') return
    this.rows = task.files.flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
    )
  }

  #filesOf(spec: Readonly<Record<string, unknown>>): string[] {
    const { ioConfig } = spec['spec'] as { ioConfig: { inputSource: Readonly<Record<string, unknown>> } }
    const { files, objects } = ioConfig.inputSource
    if (Array.isArray(files)) return files.map(String)
    if (!Array.isArray(objects)) return []
    return objects.filter(isFields).map(({ bucket, path }) => join(this.#home, String(bucket), String(path)))
  }
}
