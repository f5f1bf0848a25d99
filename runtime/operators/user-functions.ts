import { MillraceError } from '../model/errors.ts'
import type { FunctionRef } from '../model/user-module.ts'
import type { Aggregate } from '../graph/verbs/kit/aggregate-fields.ts'
import type { ModuleExports } from '../ports/modules.ts'

/** Any function of the user. What it gives is checked before it is believed. */
export type UserFunction = (...values: unknown[]) => unknown

/** The exports of a job's modules, loaded before its operators are made. */
export class UserFunctions {
  readonly #modules: ReadonlyMap<string, ModuleExports>

  constructor(modules: ReadonlyMap<string, ModuleExports>) {
    this.#modules = modules
  }

  /** Throws FUNCTION_MISSING when the export is not a function. */
  function(ref: FunctionRef): UserFunction {
    const found = this.find(ref)
    if (typeof found === 'function') return found as UserFunction
    throw missing(ref, `is ${found === null ? 'null' : `a ${typeof found}`}, not a function`)
  }

  /** Aggregates with the code of those the user wrote. */
  bound(aggregates: readonly Aggregate[]): readonly Aggregate[] {
    return aggregates.map((aggregate) =>
      aggregate.user === undefined
        ? aggregate
        : { ...aggregate, user: { ...aggregate.user, code: this.find(aggregate.user.function) } },
    )
  }

  /**
   * What a module exports under the name, or the function of that name of the job it exports by default (api/job.ts).
   * Throws FUNCTION_MISSING.
   */
  find(ref: FunctionRef): unknown {
    const exports = this.#modules.get(ref.module)
    if (exports === undefined) throw missing(ref, 'has not been loaded')
    if (Object.hasOwn(exports, ref.function)) return exports[ref.function]
    const job = exports['default']
    const functions = typeof job === 'object' && job !== null && 'functions' in job ? job.functions : undefined
    if (typeof functions === 'object' && functions !== null && Object.hasOwn(functions, ref.function))
      return (functions as ModuleExports)[ref.function]
    const names = [
      ...Object.keys(exports),
      ...(typeof functions === 'object' && functions !== null ? Object.keys(functions) : []),
    ].filter((name) => name !== 'default')
    throw missing(ref, `is not exported; exported are ${names.length === 0 ? 'none' : names.join(', ')}`)
  }
}

function missing({ module, function: name }: FunctionRef, what: string): MillraceError {
  return new MillraceError('FUNCTION_MISSING', `function ${name} of module ${module} ${what}`, { domain: 'user' })
}
