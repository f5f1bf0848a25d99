import { leadershipLost } from '../../../operator/controller/leadership.ts'
import type { Leadership } from '../../../operator/controller/leadership.ts'
import { KubeError } from '../../../operator/kube/errors.ts'
import type { Kube } from '../../../operator/kube/kube.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import { struckWatch } from './struck-watch.ts'
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
  ...['supervisor', 'history', 'status', 'tasks', 'query', 'overview', 'rules', 'compaction', 'sample', 'lookup'],
])

/**
 * Has one call of the operator meet a mishap: the n-th that may meet it, counted from 0 once it is armed. A process that
 * died or lost its lease makes no further call; another one takes its place.
 */
export class Strike {
  /** The call that met it. */
  struck: string | undefined
  /** Calls since it was armed. */
  readonly calls: Call[] = []
  readonly #mishap: Mishap | undefined
  readonly #drive: 'passes' | 'watches'
  #left: number
  #isArmed = false
  /** Processes so far, counted from 0: the present one. */
  #life = 0
  #state: 'lives' | 'dead' | 'frozen' = 'lives'
  #aheadMs = 0
  #onFreeze: () => void = () => undefined
  #sleeper: { wake: () => void; pass: Promise<unknown> } | undefined

  /** Without a mishap nothing is struck. */
  constructor(mishap?: Mishap, point = 0, drive: 'passes' | 'watches' = driveFor(mishap)) {
    this.#mishap = mishap
    this.#drive = drive
    this.#left = point
  }

  get state(): 'lives' | 'dead' | 'frozen' {
    return this.#state
  }

  arm(): void {
    this.#isArmed = true
  }

  /** Another process. */
  revive(): void {
    this.#state = 'lives'
    this.#life += 1
  }

  /** Of the present process. */
  leadership(): Leadership {
    const life = this.#life
    return { isHeld: () => life === this.#life, turn: () => ({ id: 'lease-uid', transitions: life }) }
  }

  /** The API server as the operator gets it that lives by watches. */
  watched(kube: Kube, clock: Clock): Kube {
    const watch = struckWatch(kube, clock, ({ plural }, event) => {
      const name = event.type === 'BOOKMARK' ? '' : event.object.metadata.name
      const meets = this.#meets({ peer: 'watch', kind: 'read', text: `${event.type} ${plural} ${name}` })
      return meets?.fate.kind === 'watch' ? meets.fate.how : undefined
    })
    return new Proxy(kube, {
      get: (target, name) => {
        if (name === 'watch') return watch
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
  }

  /** How the operator is driven: pass by pass, or by what its watches tell. */
  get drive(): 'passes' | 'watches' {
    return this.#drive
  }

  /** As the operator reads it. */
  clockOf(clock: Clock): Clock {
    return {
      now: () => clock.now() + this.#aheadMs,
      after: (ms, run) => clock.after(ms, run),
      nextTurn: (run) => {
        clock.nextTurn(run)
      },
    }
  }

  /** Resolves with what the pass resolves with, or with nothing as soon as the operator is frozen in it. */
  async untilFrozen(pass: Promise<number | undefined>): Promise<number | undefined> {
    const frozen = new Promise<undefined>((resolve) => {
      this.#onFreeze = () => {
        if (this.#sleeper !== undefined) this.#sleeper.pass = pass
        resolve(undefined)
      }
    })
    return Promise.race([pass, frozen])
  }

  /** The frozen operator wakes: its call is carried out, and the pass ends. Resolves with whether there was one. */
  async wake(): Promise<boolean> {
    const sleeper = this.#sleeper
    if (sleeper === undefined) return false
    this.#sleeper = undefined
    sleeper.wake()
    await Promise.allSettled([sleeper.pass])
    return true
  }

  /** The port as the present process of the operator gets it. */
  guard<T extends object>(peer: Peer, port: T): T {
    const life = this.#life
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        if (UNSTRUCK.has(name)) return member.bind(target) as unknown
        return (...args: unknown[]): Promise<unknown> =>
          this.#make(life, { peer, kind: READS.has(name) ? 'read' : 'write', text: textOf(name, args) }, () =>
            (member as (...given: unknown[]) => Promise<unknown>).apply(target, args),
          )
      },
    })
  }

  async #make(life: number, call: Call, make: () => Promise<unknown>): Promise<unknown> {
    if (life !== this.#life) throw leadershipLost(call.text)
    if (this.#state === 'dead') throw new Crash(`${call.text}, and was dead before`)
    const meets = this.#meets(call)
    if (meets?.when === 'before') await this.#meet(meets, call)
    const answer = await make()
    if (meets?.when === 'after') await this.#meet(meets, call)
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

  async #meet({ fate }: Mishap, { text }: Call): Promise<void> {
    switch (fate.kind) {
      case 'error':
        throw fate.error(text)
      case 'death':
        this.#state = 'dead'
        throw new Crash(text)
      case 'watch':
        return
      case 'clock':
        this.#aheadMs = fate.aheadMs
        return
      case 'freeze':
        this.#state = 'frozen'
        await new Promise<void>((resolve) => {
          this.#sleeper = { wake: resolve, pass: Promise.resolve() }
          this.#onFreeze()
        })
    }
  }
}

/** Watches serve only an operator with controllers. */
export function driveFor(mishap: Mishap | undefined): 'passes' | 'watches' {
  return mishap?.peer === 'watch' || mishap?.peer === 'cached API server' ? 'watches' : 'passes'
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
