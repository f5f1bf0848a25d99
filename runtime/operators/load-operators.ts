import { VERBS, type Verb } from '../graph/verbs/all.ts'
import { MillraceError } from '../model/errors.ts'
import type { Operator } from './operator.ts'
import type { OperatorContext } from './operator-context.ts'
import type { OperatorStage } from './stage.ts'

/** The operators of some verbs, loaded. */
export class Operators {
  readonly #byKind: ReadonlyMap<string, Operator>

  constructor(byKind: ReadonlyMap<string, Operator>) {
    this.#byKind = byKind
  }

  find(kind: Verb['kind']): Operator | undefined {
    return this.#byKind.get(kind)
  }

  /** The stage of one operator, its code generated for it alone. Throws VERB_UNSUPPORTED for a verb without one. */
  createStage(context: OperatorContext): OperatorStage {
    const { verb, id } = context.node
    const operator = this.find(verb.kind)
    if (operator === undefined)
      throw new MillraceError('VERB_UNSUPPORTED', `operator ${id}: there is no stage for ${verb.kind}`)
    return operator.createStage(verb, context)
  }
}

/** For processes that run any job: simulations and tests. */
export function loadAllOperators(): Promise<Operators> {
  return loadOperators(Object.keys(VERBS) as Verb['kind'][])
}

/**
 * Loads the operators that these verbs need. Each is in the folder that its definition names: a new verb is found by
 * that name, and no process holds code that its job does not use.
 */
export async function loadOperators(kinds: Iterable<Verb['kind']>): Promise<Operators> {
  const loaded = [...new Set(kinds)].flatMap((kind) => {
    const { stage } = VERBS[kind]
    return stage === undefined ? [] : [loadOnce(stage).then((operator) => [kind, operator] as const)]
  })
  return new Operators(new Map(await Promise.all(loaded)))
}

/** Kept, so that a process under virtual time has to wait for none that was loaded before. */
const LOADED = new Map<string, Promise<Operator>>()

function loadOnce(stage: string): Promise<Operator> {
  const before = LOADED.get(stage)
  if (before !== undefined) return before
  const loading = load(stage)
  LOADED.set(stage, loading)
  return loading
}

async function load(stage: string): Promise<Operator> {
  const { operator } = (await import(`./${stage}/operator.ts`)) as { readonly operator: Operator }
  return operator
}
