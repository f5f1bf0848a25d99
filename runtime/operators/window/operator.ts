import type { WindowVerb } from '../../graph/verbs/window.ts'
import type { Operator } from '../operator.ts'
import { aggregateEntries } from '../running-aggregate/aggregate-entries.ts'
import { createTimelessWindowStage } from '../running-aggregate/running-aggregate-stage.ts'
import { stateUnreadable } from '../state-unreadable.ts'
import { windowEntries } from './window-entries.ts'
import { WindowStage } from './window-stage.ts'

/** Windows without time, of rows or of the whole input, are running aggregates that put out less. */
export const operator: Operator<WindowVerb> = {
  createStage: (verb, context) =>
    verb.window.kind === 'count' || verb.window.kind === 'global'
      ? createTimelessWindowStage(verb, context)
      : new WindowStage(verb, context),
  stateEntries: (verb, by, group, blocks) => {
    if (verb.window.kind === 'count')
      throw stateUnreadable('a window of so many rows keeps parts that mean nothing by themselves')
    return verb.window.kind === 'global'
      ? aggregateEntries(verb, by, group, blocks)
      : windowEntries(verb, by, group, blocks)
  },
}
