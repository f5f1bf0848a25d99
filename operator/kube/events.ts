import type { Clock } from '../../runtime/ports/clock.ts'
import type { Logger } from '../../runtime/ports/logger.ts'
import type { Rng } from '../../runtime/ports/rng.ts'
import { isNotFound } from './errors.ts'
import type { Kube } from './kube.ts'
import type { KubeEvent, KubeObject } from './objects.ts'
import { kubeEvents } from './resource-type.ts'

/** What `kubectl describe` shows under Events. */
export interface EventNote {
  type: 'Normal' | 'Warning'
  /** One CamelCase word. */
  reason: string
  message: string
}

const COMPONENT = 'millrace-operator'
/** A repeated event is counted up at most this often, and written as a new one when it is older than that. */
const QUIET_MS = 30_000
const FORGET_MS = 30 * 60_000
const REMEMBERED = 2_000
const MESSAGE_LIMIT = 1_024

interface Remembered {
  name: string
  count: number
  unwritten: number
  firstAt: number
  writtenAt: number
}

/**
 * Writes Events, the same (object, reason, message) once with a count. Losing an Event must never hurt a
 * reconcile, so failures are logged and not thrown.
 */
export class EventRecorder {
  readonly #kube: Kube
  readonly #clock: Clock
  readonly #rng: Rng
  readonly #logger: Logger
  readonly #instance: string
  readonly #remembered = new Map<string, Remembered>()

  constructor(parts: { kube: Kube; clock: Clock; rng: Rng; logger: Logger; instance: string }) {
    this.#kube = parts.kube
    this.#clock = parts.clock
    this.#rng = parts.rng
    this.#logger = parts.logger
    this.#instance = parts.instance
  }

  async record(about: KubeObject, note: EventNote): Promise<void> {
    const message = note.message.length > MESSAGE_LIMIT ? `${note.message.slice(0, MESSAGE_LIMIT - 1)}…` : note.message
    const key = JSON.stringify([about.metadata.uid, note.type, note.reason, message])
    const now = this.#clock.now()
    const known = this.#remembered.get(key)
    try {
      if (known !== undefined && now - known.writtenAt < FORGET_MS) await this.#countUp(known, about, now)
      else await this.#writeNew(key, about, { ...note, message }, now)
    } catch (error) {
      this.#logger.warn('event not written', { reason: note.reason, object: about.metadata.name, error })
    }
  }

  async #countUp(known: Remembered, about: KubeObject, now: number): Promise<void> {
    known.unwritten += 1
    if (now - known.writtenAt < QUIET_MS) return
    const count = known.count + known.unwritten
    known.writtenAt = now
    known.count = count
    known.unwritten = 0
    await this.#kube
      .patch(
        kubeEvents,
        { namespace: about.metadata.namespace ?? 'default', name: known.name },
        { count, lastTimestamp: isoSeconds(now) },
      )
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error
        known.writtenAt = now - FORGET_MS // expired on the server: the next one is written anew
      })
  }

  async #writeNew(key: string, about: KubeObject, note: EventNote, now: number): Promise<void> {
    const namespace = about.metadata.namespace ?? 'default'
    const name = `${about.metadata.name.slice(0, 200)}.${this.#rng.id()}`
    this.#remember(key, { name, count: 1, unwritten: 0, firstAt: now, writtenAt: now })
    const event: KubeEvent = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        name: about.metadata.name,
        namespace,
        uid: about.metadata.uid ?? '',
      },
      type: note.type,
      reason: note.reason,
      message: note.message,
      count: 1,
      firstTimestamp: isoSeconds(now),
      lastTimestamp: isoSeconds(now),
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      reportingInstance: this.#instance,
    }
    await this.#kube.create(kubeEvents, event)
  }

  #remember(key: string, entry: Remembered): void {
    this.#remembered.delete(key)
    this.#remembered.set(key, entry)
    if (this.#remembered.size <= REMEMBERED) return
    const oldest = this.#remembered.keys().next()
    if (oldest.done !== true) this.#remembered.delete(oldest.value)
  }
}

/** metav1.Time has no fractions of a second. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
