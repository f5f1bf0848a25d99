import { existsSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { Job } from '../runtime/front/typescript/job.ts'
import { describeType } from '../runtime/expressions/typing.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import type { ConnectorDeclarations } from '../runtime/graph/connector-declaration.ts'
import type { JobGraph } from '../runtime/graph/job-graph.ts'
import { checkJobName } from '../runtime/front/job-file.ts'
import { validateJob } from '../runtime/front/job-spec.ts'
import { Problems, type Problem } from '../runtime/graph/problems.ts'
import { importFile } from '../runtime/ports/real/modules.ts'
import { findingOf, type Finding } from './lint.ts'
import { moduleMistake } from './module-mistake.ts'
import { placeInModule } from './module-place.ts'
import { typeFindings, type TypeCheck } from './type-check.ts'

/** A job that is written as a module. */
export function isJobModule(file: string): boolean {
  return /\.m?[jt]s$/.test(file)
}

/** A job in TypeScript as far as it could be read: without `job`, a finding says why. */
export interface JobModule {
  readonly job?: Job
  readonly findings: readonly Finding[]
}

/**
 * Runs the file, takes the job it exports by default and checks it, and its types at the same time. Throws
 * MODULE_UNAVAILABLE when there is no file, TYPE_CHECK_UNAVAILABLE.
 */
export async function readJobModule(
  file: string,
  connectors: ConnectorDeclarations,
  typeCheck: TypeCheck,
): Promise<JobModule> {
  if (!existsSync(file)) throw new MillraceError('MODULE_UNAVAILABLE', `there is no file ${file}`, { domain: 'user' })
  const [types, loaded] = await Promise.all([typeFindings(file, typeCheck), loadJob(file)])
  if ('job' in loaded)
    return {
      job: loaded.job,
      findings: [...types, ...findingsOfModule(file, loaded.job, connectors, readFileSync(file, 'utf8'))],
    }
  const mistake = await moduleMistake(loaded.mistake, file)
  // ours says what to do
  const others = types.filter((type) => type.file !== mistake.file || type.line !== mistake.line)
  return { findings: [mistake, ...others] }
}

async function loadJob(file: string): Promise<{ job: Job } | { mistake: unknown }> {
  try {
    const exports = await importFile(basename(file), resolve(file))
    return { job: exportedJob(file, exports) }
  } catch (error) {
    return { mistake: error instanceof MillraceError && error.code === 'MODULE_UNAVAILABLE' ? error.cause : error }
  }
}

function exportedJob(file: string, exports: Readonly<Record<string, unknown>>): Job {
  const found = exports['default']
  // not instanceof: a module may bring an API of its own, as one that was bundled does
  if (
    typeof found === 'object' &&
    found !== null &&
    'spec' in found &&
    typeof found.spec === 'function' &&
    'graph' in found &&
    'functions' in found
  )
    return found as Job
  const what = found === undefined ? 'nothing' : 'something else'
  throw new MillraceError('NO_JOB', `${basename(file)} exports no job by default, but ${what}`, {
    domain: 'user',
    hint: "end it with: export default job({ name: 'my-job', sinks: [out] })",
  })
}

/** As `millrace run` runs it: its functions come from the file itself. */
export function localSpec(job: Job, file: string): unknown {
  return job.spec({ kind: 'path', path: `./${basename(file)}` })
}

/**
 * As lint tells them; `text` is that of the module.
 */
export function findingsOfModule(file: string, job: Job, connectors: ConnectorDeclarations, text = ''): Finding[] {
  const { problems, warnings } = moduleProblems(job, localSpec(job, file), connectors)
  const found = (problem: Problem, severity: Finding['severity']): Finding =>
    findingOf(file, placeInModule(text, job.graph, problem), problem, severity)
  return [
    ...problems.map((problem) => found(problem, 'error')),
    ...warnings.map((warning) => found(warning, 'warning')),
  ]
}

/**
 * Everything wrong with a job: what is wrong with its spec, and where a declared type is not the one that comes
 * out.
 */
function moduleProblems(
  job: Job,
  spec: unknown,
  connectors: ConnectorDeclarations,
): { problems: readonly Problem[]; warnings: readonly Problem[] } {
  const name = Problems.gather((problems) => {
    checkJobName(job.name, problems)
  })
  const validation = validateJob(spec, connectors)
  if ('problems' in validation) return { problems: [...name.found, ...validation.problems], warnings: [] }
  return { problems: [...name.found, ...declaredProblems(job, validation.graph)], warnings: validation.warnings }
}

function declaredProblems(job: Job, graph: JobGraph): Problem[] {
  return Object.entries(job.declared).flatMap(([id, declared]) => {
    const index = job.graph.findIndex((entry) => entry['id'] === id)
    const fields = graph.operators.find((operator) => operator.id === id)?.schema.fields ?? []
    return Object.entries(declared).flatMap(([name, type]): Problem[] => {
      const field = fields.find((candidate) => candidate.name === name)
      const found = field === undefined ? undefined : describeType(field)
      if (found === type) return []
      const message =
        found === undefined
          ? `"${id}" puts out no field "${name}"`
          : `"${name}" of "${id}" is ${found}, declared is ${type}`
      return [
        {
          code: 'DECLARED_TYPE',
          path: `spec.graph[${index}]`,
          message,
          hint: found === undefined ? 'leave it out of the declared output' : `write '${found}' where it is declared`,
        },
      ]
    })
  })
}
