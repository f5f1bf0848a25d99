import { MillraceError } from '../../runtime/model/errors.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { DruidClient, SupervisorOverview } from './druid-client.ts'

/** With fewer resources a look at each costs Druid less than one at all of its supervisors. */
const SHARED_FROM = 4
/** So often, on average, one resource of a Druid that many share is looked at closely. */
const CLOSE_LOOK_MS = 1_000
/** A call that has failed is not made by the next resource at once. */
const FAILED_FOR_MS = 3_000
/** An overview of many is much to read, so a short `syncInterval` of one of them does not have it read all the time. */
const LASTS_PER_RESOURCE_MS = 10
/** Looks that a resource may miss before it does not count any more. */
const MISSED_LOOKS = 3

/** All supervisors of a Druid by id, as of one call. */
export type Overview = ReadonlyMap<string, SupervisorOverview>

/**
 * Serves the looks of one cycle, at the resources of one Druid with one login, from one call for all supervisors.
 * Remembered in the process only: after a restart there is one more look at each.
 */
export class SharedLooks {
  readonly #clock: Pick<Clock, 'now'>
  readonly #byClient = new WeakMap<DruidClient, Sharing>()

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  /**
   * Undefined when the resource `key` should be looked at by itself: few share this Druid, its turn for a close look
   * has come, or Druid does not answer for all at once. An overview is at most half a cycle old, or ten milliseconds
   * for each resource, where that is more. Throws MillraceError DRUID_UNREACHABLE, for all of them alike.
   */
  async overview(client: DruidClient, key: string, syncMs: number): Promise<Overview | undefined> {
    const sharing = this.#of(client)
    const now = this.#clock.now()
    const closeAt = sharing.members.get(key)?.closeAt
    sharing.members.set(key, { closeAt, until: now + MISSED_LOOKS * syncMs })
    if (!this.isShared(client)) return undefined
    const patienceMs = Math.max(syncMs, sharing.members.size * CLOSE_LOOK_MS)
    const isDue = closeAt === undefined || now - closeAt >= patienceMs
    if (isDue && takeTurn(sharing, now, syncMs)) return undefined
    const maxAgeMs = Math.max(syncMs / 2, sharing.members.size * LASTS_PER_RESOURCE_MS)
    sharing.answer = freshOf(sharing.answer, now, maxAgeMs) ?? this.#ask(client, sharing, now)
    return sharing.answer.overview
  }

  /** Whether the resources of this Druid are looked at together. */
  isShared(client: DruidClient): boolean {
    return this.#of(client).members.size >= SHARED_FROM
  }

  /** The resource was looked at by itself, for whatever reason. */
  lookedClosely(client: DruidClient, key: string): void {
    const member = this.#of(client).members.get(key)
    if (member) member.closeAt = this.#clock.now()
  }

  #of(client: DruidClient): Sharing {
    const known = this.#byClient.get(client)
    if (known) return known
    const sharing: Sharing = { members: new Map(), answer: undefined, turns: { from: 0, taken: 0 } }
    this.#byClient.set(client, sharing)
    return sharing
  }

  #ask(client: DruidClient, sharing: Sharing, now: number): Answer {
    for (const [key, { until }] of sharing.members) if (until < now) sharing.members.delete(key)
    const answer: Answer = { at: now, hasFailed: false, overview: Promise.resolve(undefined) }
    answer.overview = client.overview().catch((error: unknown) => {
      answer.hasFailed = true
      // It may be too much, or forbidden: then each is asked for.
      if (error instanceof MillraceError && error.code !== 'DRUID_UNREACHABLE') return undefined
      throw error
    })
    return answer
  }
}

interface Sharing {
  /** Resources that looked lately, and when each was looked at closely. */
  members: Map<string, { closeAt: number | undefined; until: number }>
  answer: Answer | undefined
  /** Close looks of the present cycle. */
  turns: { from: number; taken: number }
}

interface Answer {
  at: number
  hasFailed: boolean
  overview: Promise<Overview | undefined>
}

function freshOf(answer: Answer | undefined, now: number, maxAgeMs: number): Answer | undefined {
  if (answer === undefined) return undefined
  const ageMs = now - answer.at
  // A clock that was set back makes nothing fresher.
  return ageMs >= 0 && ageMs < (answer.hasFailed ? FAILED_FOR_MS : maxAgeMs) ? answer : undefined
}

/** Close looks are spread over the cycles, also after a start, when all of them are due. */
function takeTurn(sharing: Sharing, now: number, cycleMs: number): boolean {
  if (now < sharing.turns.from || now - sharing.turns.from >= cycleMs) sharing.turns = { from: now, taken: 0 }
  if (sharing.turns.taken >= Math.ceil(cycleMs / CLOSE_LOOK_MS)) return false
  sharing.turns.taken += 1
  return true
}
