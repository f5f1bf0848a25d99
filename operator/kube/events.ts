import type { Clock } from '../../runtime/ports/clock.ts'
import type { Logger } from '../../runtime/ports/logger.ts'
import { sealOf } from '../resources/hash.ts'
import { isAlreadyExists, isConflict, KubeError, unlessNotFound } from './errors.ts'
import type { Kube } from './kube.ts'
import type { KubeEvent, KubeObject } from './objects.ts'
import type { Reason } from './reasons.ts'
import { kubeEvents } from './resource-type.ts'

/** What `kubectl describe` shows under Events. */
export interface EventNote {
  type: 'Normal' | 'Warning'
  reason: Reason
  message: string
}

/** A note of something that happened once. Its id is the same however often it is recorded. */
export interface Occurrence extends EventNote {
  id: string
}

const COMPONENT = 'millrace-operator'
/** On an Event: the newest occurrence that it counts. */
const OCCURRENCE_ANNOTATION = 'millrace.dev/occurrence'
/** What lasts is counted up at most this often. */
const QUIET_MS = 30_000
/** The API server keeps an Event for an hour after its last write. */
const FORGET_MS = 30 * 60_000
const REMEMBERED = 2_000
const MESSAGE_LIMIT = 1_024

/**
 * Writes Events: one for each (object, type, reason, message), with a count. Its name is made of these, so whoever
 * writes it again, a restarted operator or one whose answer was lost, finds it.
 */
export class EventRecorder {
  readonly #kube: Kube
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #instance: string
  /** When something that lasts was written last, by the name of its Event, and how often it was met since. */
  readonly #lasting = new Map<string, { writtenAt: number; unwritten: number }>()

  constructor(parts: { kube: Kube; clock: Clock; logger: Logger; instance: string }) {
    this.#kube = parts.kube
    this.#clock = parts.clock
    this.#logger = parts.logger
    this.#instance = parts.instance
  }

  /**
   * Something that holds, and is recorded in each pass while it does. Never throws: what is not written now is written
   * by the next pass.
   */
  async record(about: KubeObject, note: EventNote): Promise<void> {
    const event = this.#eventOf(about, note)
    const { name } = event.metadata
    const now = this.#clock.now()
    const known = this.#lasting.get(name) ?? { writtenAt: -Infinity, unwritten: 0 }
    known.unwritten += 1
    this.#remember(name, known)
    // A clock that was set back keeps nothing quiet.
    if (now >= known.writtenAt && now - known.writtenAt < QUIET_MS) return
    try {
      const count = known.unwritten
      await (now - known.writtenAt < FORGET_MS ? this.#countUp(event, count) : this.#write(event, count))
      known.writtenAt = now
      known.unwritten -= count
    } catch (error) {
      this.#logger.warn('event not written', { reason: note.reason, object: about.metadata.name, error })
    }
  }

  /**
   * Something that happened once; safe to repeat, it counts once. Resolves with `later` when it must be repeated. What
   * the API server does not take at all (no right, a namespace that is going) is logged and counts as written.
   */
  async recordOnce(about: KubeObject, { id, ...note }: Occurrence): Promise<'written' | 'later'> {
    const event = this.#eventOf(about, note)
    event.metadata.annotations = { [OCCURRENCE_ANNOTATION]: id }
    try {
      await this.#write(event, 1)
      this.#remember(event.metadata.name, { writtenAt: this.#clock.now(), unwritten: 0 })
      return 'written'
    } catch (error) {
      const passes = isConflict(error) || (error instanceof KubeError && error.retriable)
      this.#logger.warn(passes ? 'event not written yet' : 'event not written', {
        reason: note.reason,
        object: about.metadata.name,
        error,
      })
      return passes ? 'later' : 'written'
    }
  }

  async #write(event: KubeEvent, count: number): Promise<void> {
    try {
      await this.#kube.create(kubeEvents, { ...event, count })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      await this.#countUp(event, count)
    }
  }

  /** The occurrence that is in the annotation has been counted. An Event that has expired meanwhile is created. */
  async #countUp(event: KubeEvent, count: number): Promise<void> {
    const { name, namespace = 'default', annotations } = event.metadata
    const known = await unlessNotFound(this.#kube.get(kubeEvents, { namespace, name }))
    if (known === undefined) {
      await this.#kube.create(kubeEvents, { ...event, count })
      return
    }
    const id = annotations?.[OCCURRENCE_ANNOTATION]
    if (id !== undefined && known.metadata.annotations?.[OCCURRENCE_ANNOTATION] === id) return
    await this.#kube.patch(
      kubeEvents,
      { namespace, name },
      {
        metadata: {
          resourceVersion: known.metadata.resourceVersion,
          ...(id === undefined ? {} : { annotations: { [OCCURRENCE_ANNOTATION]: id } }),
        },
        count: known.count + count,
        lastTimestamp: event.lastTimestamp,
      },
    )
  }

  #eventOf(about: KubeObject, note: EventNote): KubeEvent {
    const { name, namespace = 'default', uid = '' } = about.metadata
    const message = note.message.length > MESSAGE_LIMIT ? `${note.message.slice(0, MESSAGE_LIMIT - 1)}…` : note.message
    const at = isoSeconds(this.#clock.now())
    const { type, reason } = note
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name.slice(0, 200)}.${sealOf([uid, type, reason, message]).slice(0, 16)}`, namespace },
      involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name, namespace, uid },
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      reportingInstance: this.#instance,
    }
  }

  #remember(name: string, entry: { writtenAt: number; unwritten: number }): void {
    this.#lasting.delete(name)
    this.#lasting.set(name, entry)
    if (this.#lasting.size <= REMEMBERED) return
    const oldest = this.#lasting.keys().next()
    if (oldest.done !== true) this.#lasting.delete(oldest.value)
  }
}

/** metav1.Time has no fractions of a second. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
