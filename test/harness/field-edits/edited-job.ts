import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import type { StreamJobSpec } from '../../../operator/api/stream-job.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'
import { checkpointed } from '../certification/job-scene.ts'
import { withoutTimes } from '../certification/facts.ts'
import { countsSpec, OperatorWorld } from '../operator-world.ts'
import { edited, fieldEdits, textOf } from './field-values.ts'
import type { FieldEdit, Schema } from './field-values.ts'

const MOST_PASSES = 150
const QUIET_PASSES = 3
/** Passes before the next edit of a chain comes: the one before is half done, or not begun. */
const BETWEEN = [0, 1, 3]

/** Every value of every field of a StreamJob. */
export function jobEdits(): FieldEdit[] {
  const crd = parse(readFileSync('crds/streamjobs.yaml', 'utf8')) as {
    spec: { versions: { schema: { openAPIV3Schema: Schema } }[] }
  }
  const spec = crd.spec.versions[0]?.schema.openAPIV3Schema.properties?.['spec']
  if (spec === undefined) throw new Error('crds/streamjobs.yaml has no spec')
  return fieldEdits(spec)
}

/** The number of a revision means something in the history of one job only. */
const OWN_HISTORY = 'upgrade.rollbackTo'

interface End {
  /** True when the newest spec is what holds. */
  isFollowed: boolean
  /** What is compared: what runs, and what is said of it. */
  facts: unknown
  /** What it says in place of following. */
  says: string
}

/** What is wrong with the ends of these edits, made one after the other to a running job and then taken back. */
export async function wrongOf(edits: readonly FieldEdit[]): Promise<string[]> {
  const wrong: string[] = []
  const base = countsSpec({ upgrade: { stability: '1s' } })
  const world = await worldOf(structuredClone(base))
  const first = await endOf(world)
  const target = edits.reduce<StreamJobSpec>((spec, edit) => edited(spec, edit), base)
  let spec = base
  for (const [nr, edit] of edits.entries()) {
    spec = edited(spec, edit)
    put(world, spec)
    if (nr < edits.length - 1) await passes(world, BETWEEN[nr % BETWEEN.length] ?? 0)
  }
  const end = await endOf(world)
  const fresh = await worldOf(target)
  const freshEnd = await endOf(fresh)
  if (!end.isFollowed && end.says === '') wrong.push('neither follows the edit nor says why')
  if (!freshEnd.isFollowed && freshEnd.says === '') wrong.push('neither runs it when it is new nor says why')
  const isComparable = !edits.some(({ path }) => path.join('.') === OWN_HISTORY)
  if (isComparable && end.isFollowed && !freshEnd.isFollowed)
    wrong.push(`follows what a new job refuses: ${freshEnd.says}`)
  if (isComparable && end.isFollowed && freshEnd.isFollowed && !isDeepStrictEqual(end.facts, freshEnd.facts))
    wrong.push(`differs from a new job: ${JSON.stringify(end.facts)} instead of ${JSON.stringify(freshEnd.facts)}`)
  put(world, base)
  const back = await endOf(world)
  if (!back.isFollowed) wrong.push(`does not come back: ${back.says}`)
  else if (!isDeepStrictEqual(back.facts, first.facts))
    wrong.push(`comes back otherwise: ${JSON.stringify(back.facts)} instead of ${JSON.stringify(first.facts)}`)
  return wrong.map((one) => `${edits.map(textOf).join(' → ')}: ${one}`)
}

async function worldOf(spec: StreamJobSpec): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  world.isForgetful = false
  world.afterReport = checkpointed
  await world.create(spec)
  return world
}

function put(world: OperatorWorld, spec: StreamJobSpec): void {
  world.edit((present) => {
    for (const name of Object.keys(present)) Reflect.deleteProperty(present, name)
    Object.assign(present, structuredClone(spec))
  })
}

/** Passes until nothing changes any more. */
async function endOf(world: OperatorWorld): Promise<End> {
  let before = ''
  let quiet = 0
  for (let pass = 0; pass < MOST_PASSES && quiet < QUIET_PASSES; pass += 1) {
    await passes(world, 1)
    const now = JSON.stringify(factsOf(world))
    quiet = now === before && isAtRest(world) ? quiet + 1 : 0
    before = now
  }
  const { status, metadata } = world.job() ?? {}
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  const isFollowed =
    quiet === QUIET_PASSES && ready?.status === 'True' && ready.observedGeneration === metadata?.generation
  const isSuspended = status?.phase === 'Suspended'
  const says = ready?.status === 'True' || ready === undefined ? '' : `${ready.reason}: ${ready.message}`
  return { isFollowed: isFollowed || isSuspended, facts: factsOf(world), says }
}

/** Without an operation, and with nothing left to report. */
function isAtRest(world: OperatorWorld): boolean {
  const { operation, untold } = world.job()?.status ?? {}
  return (operation ?? null) === null && (untold ?? []).length === 0
}

async function passes(world: OperatorWorld, count: number): Promise<void> {
  for (let pass = 0; pass < count; pass += 1) {
    let nextMs: number | undefined
    try {
      nextMs = await world.pass()
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
    }
    world.kubelet()
    await world.clock.advance(Math.min(Math.max(nextMs ?? 1_000, 100), 5_000))
  }
}

function factsOf(world: OperatorWorld): unknown {
  const { phase, conditions = [] } = world.job()?.status ?? {}
  return withoutTimes({
    phase,
    ready: conditions.filter(({ type }) => type === 'Ready').map(({ status, reason }) => `${status} ${reason}`),
    pods: [...world.kube.objects.values()]
      .filter(({ kind }) => kind === 'Pod')
      .map(({ metadata }) => metadata.name)
      .sort(),
  })
}
