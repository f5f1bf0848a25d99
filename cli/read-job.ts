import { readFileSync } from 'node:fs'
import type { ConnectorDeclarations } from '../runtime/graph/connector-declaration.ts'
import { readJobFile } from '../runtime/front/job-file.ts'
import { lintText, type Finding } from './lint.ts'
import { findingsOfModule, isJobModule, loadJobModule, localSpec } from './job-module.ts'

/** A job to be run here; `spec` may be run when no finding is an error. */
export interface ReadJob {
  name: string
  spec: unknown
  findings: readonly Finding[]
}

/** Reads a job file, or runs a job module. Throws as readJobFile and loadJobModule do. */
export async function readJob(file: string, connectors: ConnectorDeclarations): Promise<ReadJob> {
  if (isJobModule(file)) {
    const job = await loadJobModule(file)
    return {
      name: job.name,
      spec: localSpec(job, file),
      findings: findingsOfModule(file, job, connectors, readFileSync(file, 'utf8')),
    }
  }
  const text = readFileSync(file, 'utf8')
  const { findings } = lintText(file, text, connectors)
  if (findings.some((finding) => finding.severity === 'error')) return { name: '', spec: undefined, findings }
  const { name, spec } = readJobFile(text)
  return { name, spec, findings }
}
