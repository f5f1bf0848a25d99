import type { EventNote } from '../kube/events.ts'
import { derivedReason } from '../kube/reasons.ts'
import type { DruidDatasourceStatus } from './druid-datasource.ts'
import { conditionOf } from './status.ts'

/** Conditions that turned bad, or good again, since the last pass. Pure. */
export function transitionNotes(before: DruidDatasourceStatus, after: DruidDatasourceStatus): EventNote[] {
  const notes: EventNote[] = []
  for (const type of ['Stalled', 'Reachable', 'Healthy', 'Drifted'] as const) {
    const was = conditionOf(before, type)
    const is = conditionOf(after, type)
    if (!is || (was?.status === is.status && was.reason === is.reason) || is.reason === 'Rejected') continue
    const bad = is.status === (type === 'Stalled' || type === 'Drifted' ? 'True' : 'False')
    if (bad) notes.push({ type: 'Warning', reason: derivedReason(is.reason), message: is.message })
    else if (was?.status === 'False' && type !== 'Stalled' && type !== 'Drifted')
      notes.push({ type: 'Normal', reason: type, message: is.message || `${type} again` })
  }
  return notes
}
