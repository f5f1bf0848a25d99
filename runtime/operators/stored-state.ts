import type { StateStore } from '../state/state-store.ts'
import type { OperatorState } from './stage.ts'

/** The state of an operator that keeps all of it in a store. */
export function storedState(store: StateStore): OperatorState {
  return {
    scope: 'keyed', appends: true, size: () => store.size(), memory: () => store.memory(), snapshot: () => store.snapshot(), freeze: (extent) => store.freeze(extent),
    restore: (group, bytes) => { store.restore(group, bytes) }, restored: () => { store.restored() },
  }
}
