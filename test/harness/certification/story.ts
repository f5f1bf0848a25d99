import { MillraceError } from '../../../runtime/model/errors.ts'
import type { Peer } from './mishaps.ts'
import type { Strike } from './strike.ts'

/** What is compared, by name. */
export type Facts = Readonly<Record<string, unknown>>

/** A small cluster in which the operator works, pass by pass. */
export interface Scene {
  /** Gives after how many ms the next pass is due; throws what the reconciler throws. */
  pass(): Promise<number | undefined>
  /** Everything but the operator does its part, and the time passes. */
  liveOn(ms: number): Promise<void>
  /** Another process with an empty memory takes the place of the operator. */
  restartOperator(): void
  facts(): Facts
  /** By the clock of the API server. */
  now(): number
  stop?(): Promise<void>
}

/** An operation from its beginning to its end. */
export interface Story<S extends Scene = Scene> {
  name: string
  peers: readonly Peer[]
  /** Up to where calls may be struck. */
  begin: (strike: Strike) => Promise<S>
  /** One after the other, each as soon as its condition holds. Conditions are on what was done, not on what is said. */
  acts: readonly { when?: (scene: S) => boolean; act: (scene: S) => unknown }[]
  isOver: (scene: S) => boolean
  /** What must hold then; undefined when it does. */
  wrong?: (scene: S) => string | undefined
}

export interface Played {
  /** How long it took, by the clock of the API server. */
  tookMs: number
  /** Why the story has not ended as it should. */
  wrong: string | undefined
  facts: Facts
}

const MOST_PASSES = 400
/** An error that is no conflict: about as long as the work queue waits at first. */
const BACK_OFF_MS = 500
/** Another operator does not take over sooner. */
const LEASE_MS = 15_000
const SHORTEST_MS = 100
/** Nothing has changed in so many passes: nothing will. */
const QUIET_PASSES = 3

/** Plays a story with one call struck. */
export async function play<S extends Scene>(story: Story<S>, strike: Strike): Promise<Played> {
  const scene = await story.begin(strike)
  try {
    strike.arm()
    const startedAt = scene.now()
    let isOver = await playToTheEnd(story, scene, strike)
    const tookMs = scene.now() - startedAt
    if (isOver && (await strike.wake())) isOver = await playToTheEnd({ ...story, acts: [] }, scene, strike)
    const facts = scene.facts()
    return { tookMs, wrong: isOver ? story.wrong?.(scene) : 'is not over', facts }
  } finally {
    await scene.stop?.()
  }
}

async function playToTheEnd<S extends Scene>(story: Story<S>, scene: S, strike: Strike): Promise<boolean> {
  const acts = [...story.acts]
  let before = ''
  let quiet = 0
  for (let pass = 0; pass < MOST_PASSES && quiet < QUIET_PASSES; pass += 1) {
    while (acts[0] !== undefined && (acts[0].when?.(scene) ?? true)) await acts.shift()?.act(scene)
    await onePass(scene, strike)
    const isOver = acts.length === 0 && story.isOver(scene)
    const now = JSON.stringify(scene.facts())
    quiet = isOver && now === before ? quiet + 1 : 0
    before = now
  }
  return quiet === QUIET_PASSES
}

/** A pass, and what goes on until the next; a process that died in it is replaced. */
export async function onePass(scene: Scene, strike: Strike): Promise<void> {
  let nextMs: number | undefined
  try {
    nextMs = await strike.untilFrozen(scene.pass())
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    nextMs = BACK_OFF_MS
  }
  // Asked even where nothing was thrown: what writes Events swallows errors.
  if (strike.state !== 'lives') {
    if (strike.state === 'frozen') await scene.liveOn(LEASE_MS)
    strike.revive()
    scene.restartOperator()
  }
  await scene.liveOn(Math.max(SHORTEST_MS, nextMs ?? 1000))
}
