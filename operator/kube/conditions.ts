import { withShortTexts } from './short-texts.ts'
import type { ConditionType } from './condition-types.ts'
import type { Condition } from './objects.ts'
import { isoSeconds } from './events.ts'
import type { Reason } from './reasons.ts'

export interface Fact {
  type: ConditionType
  status: 'True' | 'False' | 'Unknown'
  reason: Reason
  message: string
}

/** The conditions with these facts: the time of a condition moves only when its status does. */
export function withConditions(
  before: readonly Condition[],
  facts: readonly Fact[],
  at: { generation: number; now: number },
): Condition[] {
  const after = before.filter((condition) => !facts.some((fact) => fact.type === condition.type))
  for (const fact of withShortTexts(facts)) {
    const known = before.find((condition) => condition.type === fact.type)
    after.push({
      type: fact.type,
      status: fact.status,
      reason: fact.reason,
      message: fact.message,
      observedGeneration: at.generation,
      lastTransitionTime: known?.status === fact.status ? known.lastTransitionTime : isoSeconds(at.now),
    })
  }
  return after.sort((a, b) => (a.type < b.type ? -1 : 1))
}
