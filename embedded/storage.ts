import type { KubeObject } from './objects.ts'
import type { ResourceDefinition } from './resources.ts'
import { storageKeyOf } from './resources.ts'
import { expired } from './status-error.ts'
import type { WriteLog } from './write-log.ts'

export interface StorageEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  object: KubeObject
  /** The object before this event; a selector may have matched it and no longer match the new one. */
  previous?: KubeObject
  resourceVersion: number
}

export type StorageListener = (event: StorageEvent) => void

/** Who writes, for the write log. */
export interface WriteOrigin {
  user: string
  fieldManager: string
  subresource?: string
}

interface Collection {
  objects: Map<string, KubeObject>
  history: StorageEvent[]
  /** Events up to this version are no longer in the history. */
  forgottenUpTo: number
  listeners: Set<StorageListener>
}

/**
 * All objects, in memory, with one counter of versions for everything, as etcd has. Every method is synchronous:
 * between reading and writing within one turn nobody else can write, which is what makes compare-and-set hold.
 * It knows nothing of validation; objects handed in are kept as they are and must not be changed afterwards.
 */
export class Storage {
  readonly #collections = new Map<string, Collection>()
  readonly #writeLog: WriteLog
  readonly #historyLength: number
  readonly #anyListeners = new Set<(resourceKey: string, event: StorageEvent) => void>()
  #version = 1

  constructor(writeLog: WriteLog, historyLength = 2000) {
    this.#writeLog = writeLog
    this.#historyLength = historyLength
  }

  /** The version of the last write; every list made now is of this version. */
  get resourceVersion(): number {
    return this.#version
  }

  get(definition: ResourceDefinition, namespace: string, name: string): KubeObject | undefined {
    return this.#collection(definition).objects.get(objectKey(namespace, name))
  }

  /** Objects of one namespace ('' means all), ordered by namespace and name as etcd orders keys. */
  list(definition: ResourceDefinition, namespace: string): KubeObject[] {
    const all = [...this.#collection(definition).objects]
    const wanted = namespace === '' ? all : all.filter(([, object]) => object.metadata.namespace === namespace)
    return wanted.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, object]) => object)
  }

  /** Stores a new or changed object under a new version and returns it with that version. */
  put(definition: ResourceDefinition, object: KubeObject, origin: WriteOrigin): KubeObject {
    const collection = this.#collection(definition)
    const key = objectKey(object.metadata.namespace ?? '', object.metadata.name)
    const previous = collection.objects.get(key)
    const resourceVersion = ++this.#version
    const stored: KubeObject = { ...object, metadata: { ...object.metadata, resourceVersion: String(resourceVersion) } }
    collection.objects.set(key, stored)
    const event: StorageEvent =
      previous === undefined
        ? { type: 'ADDED', object: stored, resourceVersion }
        : { type: 'MODIFIED', object: stored, previous, resourceVersion }
    this.#publish(definition, previous === undefined ? 'create' : 'update', event, origin)
    return stored
  }

  /** Removes an object; watchers see its last state under the version of the removal. */
  remove(definition: ResourceDefinition, object: KubeObject, origin: WriteOrigin): KubeObject {
    const collection = this.#collection(definition)
    collection.objects.delete(objectKey(object.metadata.namespace ?? '', object.metadata.name))
    const resourceVersion = ++this.#version
    const last: KubeObject = { ...object, metadata: { ...object.metadata, resourceVersion: String(resourceVersion) } }
    this.#publish(definition, 'delete', { type: 'DELETED', object: last, previous: object, resourceVersion }, origin)
    return last
  }

  /**
   * Delivers, first, the events after `fromVersion` and then every new one, each synchronously inside its write.
   * Throws 410 when events after `fromVersion` were already forgotten, or the version lies in the future
   * (the server was restarted and began to count anew).
   */
  watch(definition: ResourceDefinition, fromVersion: number, listener: StorageListener): () => void {
    const collection = this.#collection(definition)
    if (fromVersion < collection.forgottenUpTo || fromVersion > this.#version) {
      throw expired(String(fromVersion), collection.forgottenUpTo)
    }
    for (const event of collection.history) if (event.resourceVersion > fromVersion) listener(event)
    collection.listeners.add(listener)
    return () => collection.listeners.delete(listener)
  }

  /** Every event of every kind, for the garbage collector. */
  watchAll(listener: (resourceKey: string, event: StorageEvent) => void): () => void {
    this.#anyListeners.add(listener)
    return () => this.#anyListeners.delete(listener)
  }

  /** Forgets the history, so that every watch from an older version gets 410: for tests of relisting. */
  compact(): void {
    for (const collection of this.#collections.values()) {
      collection.history = []
      collection.forgottenUpTo = this.#version
    }
  }

  #collection(definition: ResourceDefinition): Collection {
    const key = storageKeyOf(definition)
    let collection = this.#collections.get(key)
    if (collection === undefined) {
      collection = { objects: new Map(), history: [], forgottenUpTo: 0, listeners: new Set() }
      this.#collections.set(key, collection)
    }
    return collection
  }

  #publish(
    definition: ResourceDefinition,
    verb: 'create' | 'update' | 'delete',
    event: StorageEvent,
    origin: WriteOrigin,
  ): void {
    const collection = this.#collection(definition)
    collection.history.push(event)
    if (collection.history.length > this.#historyLength) {
      const forgotten = collection.history.splice(0, collection.history.length - this.#historyLength)
      collection.forgottenUpTo = forgotten.at(-1)?.resourceVersion ?? collection.forgottenUpTo
    }
    const resource = definition.group === '' ? definition.plural : `${definition.plural}.${definition.group}`
    const { metadata } = event.object
    this.#writeLog.append({
      verb,
      resource: origin.subresource === undefined ? resource : `${resource}/${origin.subresource}`,
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      uid: metadata.uid ?? '',
      resourceVersion: event.resourceVersion,
      user: origin.user,
      fieldManager: origin.fieldManager,
      object: event.object,
    })
    for (const listener of [...collection.listeners]) listener(event)
    for (const listener of [...this.#anyListeners]) listener(storageKeyOf(definition), event)
  }
}

const objectKey = (namespace: string, name: string): string => `${namespace}/${name}`
