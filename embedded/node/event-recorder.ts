import { randomBytes } from 'node:crypto'
import type { LocalCluster } from '../local-cluster.ts'
import { timestamp } from '../object-writer.ts'
import type { KubeObject } from '../objects.ts'
import { numberAt } from '../objects.ts'
import { ApiStatusError } from '../status-error.ts'

/** Writes core/v1 Events about pods; the same text about the same pod again only raises the count. */
export class EventRecorder {
  readonly #cluster: LocalCluster
  readonly #component: string
  readonly #names = new Map<string, string>()

  constructor(cluster: LocalCluster, component: string) {
    this.#cluster = cluster
    this.#component = component
  }

  record(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const namespace = about.metadata.namespace ?? 'default'
    const key = JSON.stringify([about.metadata.uid, type, reason, message])
    const known = this.#names.get(key)
    try {
      if (known !== undefined && this.#cluster.get('events', namespace, known) !== undefined)
        this.#repeat(namespace, known)
      else this.#names.set(key, this.#create(about, namespace, type, reason, message))
    } catch (error) {
      // The namespace may be on its way out; an Event is never worth an error.
      if (!(error instanceof ApiStatusError)) throw error
    }
  }

  #repeat(namespace: string, name: string): void {
    this.#cluster.update('events', namespace, name, 'main', (event) => ({
      ...event,
      count: (numberAt(event, 'count') ?? 1) + 1,
      lastTimestamp: timestamp(new Date()),
    }))
  }

  #create(about: KubeObject, namespace: string, type: string, reason: string, message: string): string {
    const now = timestamp(new Date())
    const { name, uid, resourceVersion } = about.metadata
    const event = this.#cluster.create('events', namespace, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${randomBytes(8).toString('hex')}` },
      involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name, namespace, uid, resourceVersion },
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: this.#component },
      reportingComponent: this.#component,
      reportingInstance: this.#component,
    })
    return event.metadata.name
  }
}
