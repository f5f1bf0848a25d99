import type { StateStore } from '../state/state-store.ts'
import type { TableSnapshots } from '../state/table-snapshots.ts'
import type { OperatorState } from './stage.ts'

/** The state of an operator that keeps all of it in a store. */
export function storedState(store: StateStore): OperatorState {
  return {
    scope: 'keyed',
    appends: true,
    size: () => store.size(),
    memory: () => store.memory(),
    freeze: (extent) => store.freeze(extent),
    restore: (group, bytes) => {
      store.restore(group, bytes)
    },
    restored: () => {
      store.restored()
    },
  }
}

/** The state of an operator that keeps all of it in tables by key. */
export function tableState(tables: TableSnapshots): OperatorState {
  return {
    scope: 'keyed',
    appends: true,
    size: () => tables.size(),
    freeze: (extent) => tables.freeze(extent),
    restore: (group, bytes) => {
      tables.restore(group, bytes)
    },
    restored: () => {
      tables.restored()
    },
  }
}
