import { KubeError } from '../../operator/kube/errors.ts'
import type { EventNote, Occurrence } from '../../operator/kube/events.ts'
import type { Kube, MergePatch, ObjectRef } from '../../operator/kube/kube.ts'
import type { KubeObject } from '../../operator/kube/objects.ts'
import type { ResourceType } from '../../operator/kube/resource-type.ts'
import { applyMergePatch } from './merge-patch.ts'

/** An API server that holds one object, and Secrets: optimistic locking, generation, finalizers and deletion as the real one. */
export class OneObjectKube {
  readonly events: EventNote[] = []
  statusWrites = 0
  /** By name, in whatever namespace; 'forbidden' may not be read. */
  readonly secrets = new Map<string, Readonly<Record<string, string>> | 'forbidden'>()
  #object: Record<string, unknown> | undefined
  #version = 1

  constructor(object: KubeObject) {
    const { metadata } = object
    this.#object = structuredClone({
      ...object,
      metadata: { uid: 'uid-1', generation: 1, resourceVersion: '1', ...metadata },
    })
  }

  get object(): KubeObject | undefined {
    return this.#object as unknown as KubeObject | undefined
  }

  /** As `kubectl patch`: a changed spec is a new generation. */
  edit(patch: MergePatch): void {
    const generation = (this.object?.metadata.generation ?? 0) + 1
    this.#merge({ ...patch, metadata: { generation } })
  }

  delete(at: string): void {
    this.#merge({ metadata: { deletionTimestamp: at } })
  }

  /** How often an Event that is recorded once is refused for now. */
  refusedEvents = 0

  readonly recorder = {
    recordOnce: (_about: KubeObject, { id: _, ...note }: Occurrence): Promise<'written' | 'later'> => {
      if (this.refusedEvents-- > 0) return Promise.resolve('later')
      this.events.push(note)
      return Promise.resolve('written')
    },
    record: (_about: KubeObject, note: EventNote): Promise<void> => {
      this.events.push(note)
      return Promise.resolve()
    },
  }

  asKube(now: () => number): Kube {
    const refuse = (): never => {
      throw new Error('this Kube holds one object only')
    }
    return {
      now,
      get: <T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef) =>
        Promise.resolve().then(() => (type.plural === 'secrets' ? this.#secret(ref) : this.#read(ref)) as T),
      patch: <T extends KubeObject>(_type: unknown, ref: ObjectRef, patch: MergePatch) => this.#patched<T>(ref, patch),
      patchStatus: <T extends KubeObject>(_type: unknown, ref: ObjectRef, patch: MergePatch) => {
        this.statusWrites += 1
        return this.#patched<T>(ref, patch)
      },
      list: refuse,
      watch: refuse,
      create: refuse,
      dryRunCreate: refuse,
      apply: refuse,
      delete: refuse,
    }
  }

  #secret({ name }: ObjectRef): unknown {
    const texts = this.secrets.get(name)
    if (texts === 'forbidden') throw new KubeError('forbidden', { status: 403, reason: 'Forbidden' })
    if (texts === undefined) throw new KubeError('not found', { status: 404, reason: 'NotFound' })
    const data = Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
    return { metadata: { name }, data: Object.fromEntries(data) as unknown }
  }

  #read(ref: ObjectRef): unknown {
    if (this.object?.metadata.name !== ref.name) throw new KubeError('not found', { status: 404, reason: 'NotFound' })
    return structuredClone(this.#object)
  }

  async #patched<T>(ref: ObjectRef, patch: MergePatch): Promise<T> {
    this.#read(ref)
    const wanted = (patch['metadata'] as { resourceVersion?: string } | undefined)?.resourceVersion
    if (wanted !== undefined && wanted !== this.object?.metadata.resourceVersion) {
      throw new KubeError('the object has been modified', { status: 409, reason: 'Conflict' })
    }
    this.#merge(patch)
    const answer = structuredClone(this.#object)
    const { deletionTimestamp, finalizers = [] } = this.object?.metadata ?? {}
    if (deletionTimestamp !== undefined && finalizers.length === 0) this.#object = undefined
    return await Promise.resolve(answer as T)
  }

  #merge(patch: MergePatch): void {
    this.#version += 1
    const merged = applyMergePatch(this.#object, patch) as Record<string, unknown>
    merged['metadata'] = { ...(merged['metadata'] as object), resourceVersion: String(this.#version) }
    this.#object = merged
  }
}
