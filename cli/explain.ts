import type { Connectors } from '../runtime/connectors/registry.ts'
import { describePlan } from '../runtime/plan/describe-plan.ts'
import { planJob } from '../runtime/front/planned-job.ts'
import { codeText, generatedCode } from './explain-code.ts'
import type { Console } from './console.ts'
import { findingsText, readJob } from './read-job.ts'

/**
 * `millrace explain job.yaml` or `job.ts`: the chains and slots a job becomes, and what travels between them. Exit
 * code 1 when the job is wrong. `-o json` gives chains and exchanges with their columns. With `show: 'code'` it is the
 * JavaScript that is generated for each operator instead.
 */
export async function explain(
  file: string,
  { output, show }: { output: 'text' | 'json'; show: 'plan' | 'code' },
  connectors: Connectors,
  io: Console,
): Promise<0 | 1> {
  const job = await readJob(file, connectors)
  io.err(findingsText(job.findings))
  if (job.findings.some((finding) => finding.severity === 'error')) return 1
  const { plan } = planJob(job.spec, connectors)
  if (show === 'code') {
    const code = await generatedCode(plan, file, connectors)
    io.out(output === 'text' ? `${codeText(code)}\n` : `${JSON.stringify(code, null, 2)}\n`)
    return 0
  }
  if (output === 'text') {
    io.out(`${describePlan(plan)}\n`)
    return 0
  }
  io.out(
    `${JSON.stringify(
      {
        maxParallelism: plan.maxParallelism,
        chains: plan.chains.map(({ id, parallelism, operators }) => ({
          id,
          slots: parallelism,
          operators: operators.map(({ id: operator, verb }) => ({ id: operator, verb: verb.kind })),
        })),
        exchanges: plan.exchanges.map(({ id, partitioning, schema }) => ({
          id,
          partitioning,
          columns: schema.fields.map(({ name }) => name),
        })),
      },
      null,
      2,
    )}\n`,
  )
  return 0
}
