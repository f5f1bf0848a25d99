import type { ErrorReport } from '../../runtime/model/errors.ts'
import { druidDatasources } from '../druid/druid-datasource.ts'
import type { DruidDatasource } from '../druid/druid-datasource.ts'
import { referredDatasources, resolveDruidSinks } from '../druid/resolve-sinks.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'

export interface BoundSpec {
  jobSpec: Readonly<Record<string, unknown>>
  /** A DruidDatasource that is named and not there, or does not fit. */
  waitsFor: ErrorReport | undefined
}

/** Writes brokers and topic of the DruidDatasources that the sinks name into the spec; pods cannot ask for them. */
export async function bindDruidSinks(
  kube: Kube,
  namespace: string,
  jobSpec: Readonly<Record<string, unknown>>,
): Promise<BoundSpec> {
  const found = new Map<string, DruidDatasource>()
  for (const name of new Set(referredDatasources(jobSpec))) {
    const datasource = await unlessNotFound(kube.get(druidDatasources, { namespace, name }))
    if (datasource !== undefined) found.set(name, datasource)
  }
  const {
    spec,
    problems: [problem],
  } = resolveDruidSinks(jobSpec, found)
  if (problem === undefined) return { jobSpec: spec, waitsFor: undefined }
  const message = `${problem.path}: ${problem.message}${problem.hint === undefined ? '' : `; ${problem.hint}`}`
  return {
    jobSpec: spec,
    waitsFor: { code: 'DATASOURCE_MISSING', message, domain: 'user', retriable: true, path: problem.path },
  }
}
