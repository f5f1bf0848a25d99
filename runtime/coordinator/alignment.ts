import type { Timestamp } from '../model/time.ts'
import { subtaskId, type SubtaskId } from '../model/ids.ts'
import type { ExecutionPlan } from '../plan/execution-plan.ts'
import type { Clock } from '../ports/clock.ts'

/** Announcements of a group follow each other at this distance at least: each goes to all of its subtasks. */
const ANNOUNCE_EVERY_MS = 20

interface Group {
  members: readonly SubtaskId[]
  minima: Map<SubtaskId, Timestamp | null>
  announced: Timestamp | null | undefined
  announcedAt: number
  isScheduled: boolean
}

/**
 * The least watermark of each alignment group of one attempt (Flink's SourceCoordinator under FLIP-182). Subtasks
 * report theirs; whenever the least one changes, all subtasks of the group get it. Nothing is announced before
 * every subtask has reported. Until then none reads further than its drift allows.
 */
export class AlignmentGroups {
  readonly #groupOf = new Map<SubtaskId, Group>()
  readonly #clock: Clock
  readonly #announce: (subtask: SubtaskId, minimum: Timestamp | null) => void

  constructor(
    plan: Pick<ExecutionPlan, 'chains'>,
    clock: Clock,
    announce: (subtask: SubtaskId, minimum: Timestamp | null) => void,
  ) {
    this.#clock = clock
    this.#announce = announce
    for (const members of membersOf(plan).values()) {
      const group: Group = {
        members,
        minima: new Map(),
        announced: undefined,
        announcedAt: -Infinity,
        isScheduled: false,
      }
      for (const member of members) this.#groupOf.set(member, group)
    }
  }

  /** `minimum` null: nobody is to wait for this subtask. */
  onReport(subtask: SubtaskId, minimum: Timestamp | null): void {
    const group = this.#groupOf.get(subtask)
    if (group === undefined) return
    group.minima.set(subtask, minimum)
    if (group.isScheduled || !hasNews(group)) return
    const waitMs = group.announcedAt + ANNOUNCE_EVERY_MS - this.#clock.now()
    if (waitMs <= 0) {
      this.#tell(group)
      return
    }
    group.isScheduled = true
    this.#clock.after(waitMs, () => {
      group.isScheduled = false
      if (hasNews(group)) this.#tell(group)
    })
  }

  #tell(group: Group): void {
    const minimum = leastOf(group)
    group.announced = minimum
    group.announcedAt = this.#clock.now()
    for (const member of group.members) this.#announce(member, minimum)
  }
}

function hasNews(group: Group): boolean {
  return group.minima.size === group.members.length && leastOf(group) !== group.announced
}

function leastOf({ minima }: Group): Timestamp | null {
  return [...minima.values()].reduce<Timestamp | null>(
    (least, minimum) => (least === null || (minimum !== null && minimum < least) ? minimum : least),
    null,
  )
}

function membersOf(plan: Pick<ExecutionPlan, 'chains'>): Map<string, SubtaskId[]> {
  const members = new Map<string, SubtaskId[]>()
  for (const chain of plan.chains) {
    const verb = chain.operators[0]?.verb
    const group = verb?.kind === 'source' ? verb.eventTime?.align?.group : undefined
    if (group === undefined) continue
    const slots = Array.from({ length: chain.parallelism }, (_, slot) => subtaskId(chain.id, slot))
    members.set(group, [...(members.get(group) ?? []), ...slots])
  }
  return members
}
