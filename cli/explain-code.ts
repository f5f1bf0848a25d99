import { dirname, resolve } from 'node:path'
import { recordGenerated, type GeneratedSource } from '../runtime/codegen/emitter.ts'
import type { Connectors } from '../runtime/connectors/registry.ts'
import type { ExecutionPlan } from '../runtime/plan/execution-plan.ts'
import { createLogger } from '../runtime/ports/real/logger.ts'
import { builtinStores } from '../runtime/builtin-stores.ts'
import { realPorts } from '../runtime/ports/real/ports.ts'
import { compileSubtask } from '../runtime/worker/compiled-subtask.ts'

/** Code that belongs to one operator, or to one exchange between chains. */
export interface OwnedCode {
  /** The operator, `a+b` for operators that share a loop, or the exchange. */
  readonly operator: string
  readonly units: readonly { readonly shape: string; readonly source: string }[]
}

/**
 * The code that workers generate for the chains of a plan, in the order of the plan. What a source learns from its
 * records (how they are laid out) and a sink's writer are generated when the job runs, and not here. `file` is the
 * job's, from which the user's modules are loaded.
 */
export async function generatedCode(plan: ExecutionPlan, file: string, connectors: Connectors): Promise<OwnedCode[]> {
  const sources = await recordGenerated(() => compileChains(plan, dirname(resolve(file)), connectors))
  const byOperator = Map.groupBy(sources, ({ owner }) => owner.operator ?? '')
  return [...byOperator].map(([operator, units]) => ({
    operator,
    units: units.map(({ shape, text }: GeneratedSource) => ({ shape, source: text })),
  }))
}

async function compileChains(plan: ExecutionPlan, baseDir: string, connectors: Connectors): Promise<void> {
  const logger = createLogger({ to: 'stderr', level: 'error' })
  const ports = realPorts({ stores: builtinStores, logger, printLine: () => undefined })
  for (const { id } of plan.chains) {
    const compiled = await compileSubtask({
      plan,
      chain: id,
      slot: 0,
      baseDir,
      ports,
      connectors,
      checkWanted: () => undefined,
    })
    await compiled.discard()
  }
}

/** As one JavaScript text, with a heading per operator and per unit. */
export function codeText(code: readonly OwnedCode[]): string {
  return code
    .map(({ operator, units }) =>
      [`// ===== ${operator} =====`, ...units.map(({ shape, source }) => `// ----- ${shape}\n${source}\n`)].join('\n'),
    )
    .join('\n')
}
