import { existsSync, readFileSync } from 'node:fs'
import type { ConnectorDeclarations } from '../runtime/graph/connector-declaration.ts'
import { readJobFile } from '../runtime/front/job-file.ts'
import { findingText, lintText, type Finding } from './lint.ts'
import { isJobModule, localSpec, readJobModule } from './job-module.ts'
import type { TypeCheck } from './type-check.ts'

/** A job to be run here; `spec` may be run when no finding is an error. */
export interface ReadJob {
  name: string
  spec: unknown
  findings: readonly Finding[]
}

/** Reads a job file, or runs a job module. Throws as readJobFile and readJobModule do. */
export async function readJob(
  file: string,
  connectors: ConnectorDeclarations,
  typeCheck: TypeCheck = 'never',
): Promise<ReadJob> {
  if (isJobModule(file)) {
    const { job, findings } = await readJobModule(file, connectors, typeCheck)
    return { name: job?.name ?? '', spec: job && localSpec(job, file), findings }
  }
  const text = readFileSync(file, 'utf8')
  const { findings } = lintText(file, text, connectors)
  if (findings.some((finding) => finding.severity === 'error')) return { name: '', spec: undefined, findings }
  const { name, spec } = readJobFile(text)
  return { name, spec, findings }
}

/** What is wrong with a job, each finding with the line that it is about. */
export function findingsText(findings: readonly Finding[]): string {
  return findings
    .map((finding) => findingText(finding, existsSync(finding.file) ? readFileSync(finding.file, 'utf8') : ''))
    .join('')
}
