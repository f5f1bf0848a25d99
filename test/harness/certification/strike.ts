import { KubeError } from '../../../operator/kube/errors.ts'
import type { Call, Mishap, Peer } from './mishaps.ts'

/** The process has ended; nothing may be made of it but another one. */
class Crash extends KubeError {
  constructor(call: string) {
    super(`the operator died at ${call}`, { status: 0, reason: 'Crashed' })
    this.name = 'Crash'
  }
}

/** For a call that is not struck by a Strike: nothing after it happens. */
export function crash(call: string): never {
  throw new Crash(call)
}

export function isCrash(error: unknown): boolean {
  return error instanceof Crash
}

/** No calls of the operator to somebody: they wait, or stand in for the clock of the server. */
const UNSTRUCK: ReadonlySet<PropertyKey> = new Set(['now', 'watch', 'reportUnlike'])
const READS: ReadonlySet<PropertyKey> = new Set([
  ...['get', 'list', 'dryRunCreate'],
  ...['report', 'savepoint'],
  ...['supervisor', 'history', 'status', 'tasks', 'query', 'overview', 'rules', 'compaction'],
])

/**
 * Has one call of the operator meet a mishap: the n-th that may meet it, counted from 0 once it is armed. A process that
 * died makes no further call until another one takes its place.
 */
export class Strike {
  /** The call that met it. */
  struck: string | undefined
  /** Calls since it was armed. */
  readonly calls: Call[] = []
  readonly #mishap: Mishap | undefined
  #left: number
  #isArmed = false
  #isDead = false

  /** Without a mishap nothing is struck. */
  constructor(mishap?: Mishap, point = 0) {
    this.#mishap = mishap
    this.#left = point
  }

  get isDead(): boolean {
    return this.#isDead
  }

  arm(): void {
    this.#isArmed = true
  }

  /** Another process. */
  revive(): void {
    this.#isDead = false
  }

  /** The port as the operator gets it. */
  guard<T extends object>(peer: Peer, port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function' || UNSTRUCK.has(name)) return member
        return (...args: unknown[]): Promise<unknown> =>
          this.#make({ peer, kind: READS.has(name) ? 'read' : 'write', text: textOf(name, args) }, () =>
            (member as (...given: unknown[]) => Promise<unknown>).apply(target, args),
          )
      },
    })
  }

  async #make(call: Call, make: () => Promise<unknown>): Promise<unknown> {
    if (this.#isDead) throw new Crash(`${call.text}, and was dead before`)
    const meets = this.#meets(call)
    if (meets?.when === 'before') this.#fail(meets, call)
    const answer = await make()
    if (meets?.when === 'after') this.#fail(meets, call)
    return answer
  }

  #meets(call: Call): Mishap | undefined {
    if (!this.#isArmed) return undefined
    this.calls.push(call)
    const mishap = this.#mishap
    if (mishap === undefined || this.struck !== undefined || !mishap.strikes(call)) return undefined
    if (this.#left-- > 0) return undefined
    this.struck = call.text
    return mishap
  }

  #fail({ error }: Mishap, { text }: Call): never {
    if (error !== 'death') throw error(text)
    this.#isDead = true
    throw new Crash(text)
  }
}

/** The method and what it is about, as far as its arguments say. */
function textOf(method: PropertyKey, args: readonly unknown[]): string {
  const words = args.slice(0, 2).flatMap((arg) => {
    if (typeof arg === 'string') return [arg]
    const { plural, name, metadata } = (arg ?? {}) as {
      plural?: string
      name?: string
      metadata?: { name?: string }
    }
    return [plural ?? name ?? metadata?.name ?? []].flat()
  })
  return [String(method), ...words].join(' ')
}
