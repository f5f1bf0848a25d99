import type { Operation } from '../api/stream-job.ts'

/**
 * Objects beside pods that an operation has created or found: its next pods need no other try. Its memory only spares
 * requests, so nothing of it matters after a restart.
 */
export class OncePerOperation {
  readonly #done = new Map<string, { operation: string; names: Set<string> }>()

  isDone(jobUid: string, operation: Operation | null, name: string): boolean {
    const done = this.#done.get(jobUid)
    return done !== undefined && done.operation === operation?.id && done.names.has(name)
  }

  done(jobUid: string, operation: Operation | null, name: string): void {
    if (operation === null) return
    const known = this.#done.get(jobUid)
    const names = known?.operation === operation.id ? known.names : new Set<string>()
    this.#done.set(jobUid, { operation: operation.id, names: names.add(name) })
  }

  forget(jobUid: string): void {
    this.#done.delete(jobUid)
  }
}
