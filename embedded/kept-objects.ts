import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { MillraceError } from '../runtime/model/errors.ts'
import { arrayAt, isObject, numberAt, type KubeObject } from './objects.ts'
import type { ResourceRegistry } from './resources.ts'
import type { Storage } from './storage.ts'

const FORMAT = 1
/** Changes of so long go into one write of the file. */
const SAVE_AFTER_MS = 200
/** A full disk may have room again. */
const SAVE_AGAIN_MS = 10_000

/**
 * What does not outlive the server: pods are processes of this run, leases and nodes belong to it, events are news,
 * and definitions come with the program.
 */
const PASSING: ReadonlySet<string> = new Set(['Pod', 'Lease', 'Node', 'Event', 'CustomResourceDefinition'])

/**
 * Keeps the objects of the server in one file, so that jobs outlive Ctrl-C: the operator finds them without pods, as
 * after the loss of a node, and recovers them from their checkpoints. What was written in the last 200 ms before a
 * SIGKILL may be missing; the job log, not a status, decides what a job continues from.
 */
export class KeptObjects {
  readonly #path: string
  readonly #storage: Storage
  readonly #registry: ResourceRegistry
  #stopWatching = (): void => undefined
  #timer: NodeJS.Timeout | undefined
  #isSaved = true

  constructor(path: string, storage: Storage, registry: ResourceRegistry) {
    this.#path = path
    this.#storage = storage
    this.#registry = registry
  }

  /**
   * Stores what the file has, under new versions, and follows all changes from then on. Call it when the definitions
   * are there. Throws KEPT_OBJECTS_UNREADABLE.
   */
  start(): void {
    for (const object of this.#read()) {
      const definition = this.#registry.findKind(object.apiVersion, object.kind)
      if (definition !== undefined)
        this.#storage.put(definition, object, { user: 'system:kept-objects', fieldManager: 'kept-objects' })
    }
    this.#stopWatching = this.#storage.watchAll((_key, { object }) => {
      if (PASSING.has(object.kind)) return
      this.#isSaved = false
      this.#timer ??= setTimeout(() => this.#save(), SAVE_AFTER_MS)
    })
  }

  /** Saves what has not been saved yet, and follows no more changes. */
  close(): void {
    this.#stopWatching()
    if (!this.#isSaved) this.#save()
    clearTimeout(this.#timer)
  }

  #read(): KubeObject[] {
    if (!existsSync(this.#path)) return []
    const unreadable = (why: string, cause?: unknown): MillraceError =>
      new MillraceError('KEPT_OBJECTS_UNREADABLE', `${this.#path} ${why}`, {
        domain: 'user',
        ...(cause === undefined ? {} : { cause }),
        hint: 'Begin anew with --fresh, or put back the file.',
      })
    let kept: unknown
    try {
      kept = JSON.parse(readFileSync(this.#path, 'utf8'))
    } catch (cause) {
      throw unreadable('cannot be read as JSON', cause)
    }
    if (!isObject(kept) || numberAt(kept, 'format') !== FORMAT) throw unreadable(`is not of format ${FORMAT}`)
    return arrayAt(kept, 'objects').filter((one): one is KubeObject => isObject(one) && isObject(one['metadata']))
  }

  /** Namespaces come first, since what is in them is refused without them. */
  #save(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const objects = this.#registry
      .all()
      .filter(({ kind }) => !PASSING.has(kind))
      .flatMap((definition) => this.#storage.list(definition, ''))
    const unfinished = `${this.#path}.new`
    try {
      // Secrets are among them.
      writeFileSync(unfinished, JSON.stringify({ format: FORMAT, objects }), { mode: 0o600 })
      renameSync(unfinished, this.#path)
      this.#isSaved = true
    } catch (error) {
      this.#timer = setTimeout(() => this.#save(), SAVE_AGAIN_MS)
      console.error(`embedded server: objects were not kept in ${this.#path}: ${String(error)}`)
    }
  }
}
