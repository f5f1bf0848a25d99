import type { StateKey } from '../memory/state-key.ts'

/** The keys of a mirrored table whose entries may differ from what its mirror was told, by key group. */
export class ChangedKeys {
  #byGroup = new Map<number, Map<StateKey, Set<StateKey> | undefined>>()
  /** Groups of which every entry counts as changed. */
  #wholeGroups = new Set<number>()

  /** `userKey` is that of a map's entry. */
  add(group: number, key: StateKey, userKey?: StateKey): void {
    let keys = this.#byGroup.get(group)
    if (keys === undefined) this.#byGroup.set(group, (keys = new Map()))
    if (userKey === undefined) {
      keys.set(key, undefined)
      return
    }
    const userKeys = keys.get(key)
    if (userKeys === undefined) keys.set(key, new Set([userKey]))
    else userKeys.add(userKey)
  }

  addGroup(group: number): void {
    this.#wholeGroups.add(group)
  }

  /** A later block of the group says that the mirror knows its entries. */
  forgetGroup(group: number): void {
    this.#wholeGroups.delete(group)
  }

  takeGroups(): number[] {
    const groups = [...this.#wholeGroups]
    this.#wholeGroups.clear()
    return groups
  }

  /** What was added, which is forgotten here. */
  take(): ReadonlyMap<number, ReadonlyMap<StateKey, ReadonlySet<StateKey> | undefined>> {
    const taken = this.#byGroup
    this.#byGroup = new Map()
    return taken
  }
}
