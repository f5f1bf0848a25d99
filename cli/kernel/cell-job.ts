import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { builtinConnectors } from '../../runtime/builtin-connectors.ts'
import { planJob, type PlannedJob } from '../../runtime/front/planned-job.ts'
import { readJobFile } from '../../runtime/front/job-file.ts'
import type { JobReport } from '../../runtime/control/job-report.ts'
import { MillraceError } from '../../runtime/model/errors.ts'
import { localSpec, readJobModule } from '../job-module.ts'
import { findingText, lintText, type Finding } from '../lint.ts'
import { openedStore } from '../local-store.ts'
import { failureOf, localTarget, newRunId, startInProcess } from '../started-job.ts'
import { lossText, RunProgress } from '../run-progress.ts'
import type { CellError, RunCell } from './cell-messages.ts'
import { jobTextOf } from './cell-source.ts'

const POLL_MS = 100

/** The job of a cell as far as it could be read: without `job`, an error says why. */
export interface CellJob {
  readonly job?: { readonly name: string; readonly spec: unknown; readonly planned: PlannedJob }
  readonly warnings: string
  readonly error?: CellError
}

/** Reads the job of a cell; a cell in TypeScript is written to its file and run for that. Throws what reading a job throws. */
export async function readCell(run: RunCell): Promise<CellJob> {
  const { language, text, place } = jobTextOf(run.cell)
  const read = language === 'typescript' ? await readModule(run) : readText(run.name, text)
  const findings = read.findings.map((finding): Finding => {
    if (finding.file === run.moduleFile) return { ...finding, file: run.name, message: named(finding.message, run) }
    return finding.file === run.name ? { ...finding, ...place(finding) } : finding
  })
  const textOf = (finding: Finding): string => findingText(finding, finding.file === run.name ? run.cell : '')
  const errors = findings.filter(({ severity }) => severity === 'error')
  const warnings = findings.filter(({ severity }) => severity === 'warning').map(textOf)
  const [first] = errors
  if (first !== undefined)
    return {
      warnings: warnings.join(''),
      error: {
        code: first.code,
        message: `${run.name}:${first.line}:${first.column} ${first.message}`,
        lines: errors.flatMap((finding) => textOf(finding).trimEnd().split('\n')),
      },
    }
  return {
    warnings: warnings.join(''),
    job: { name: read.name, spec: read.spec, planned: planJob(read.spec, builtinConnectors) },
  }
}

/** The author of a cell knows its name, and not the file in which it lies while it runs. */
export function named(text: string, { name, moduleFile }: RunCell): string {
  return text.replaceAll(moduleFile, name).replaceAll(basename(moduleFile), name)
}

interface Read {
  readonly name: string
  readonly spec: unknown
  readonly findings: readonly Finding[]
}

function readText(name: string, text: string): Read {
  const { findings } = lintText(name, text, builtinConnectors)
  if (findings.some(({ severity }) => severity === 'error')) return { name, spec: undefined, findings }
  return { ...readJobFile(text), findings }
}

async function readModule({ cell, moduleFile }: RunCell): Promise<Read> {
  try {
    writeFileSync(moduleFile, cell)
  } catch (cause) {
    throw new MillraceError('CELL_FILE_UNAVAILABLE', `the cell cannot be written to ${moduleFile}`, {
      domain: 'platform',
      cause,
      hint: 'a cell in TypeScript lies beside the notebook while it runs: put the notebook into a folder that can be written',
    })
  }
  const { job, findings } = await readJobModule(moduleFile, builtinConnectors, 'ifConfigured')
  return { name: job?.name ?? '', spec: job && localSpec(job, moduleFile), findings }
}

export interface CellRun {
  readonly baseDir: string
  /** Takes each line that a console sink prints, with the id of the sink. */
  print(line: string, sink: string): void
  /** Takes what people should read while the job runs. */
  note(text: string): void
  /** Takes a line of how the job gets on, which replaces the line before it. */
  progress(line: string): void
  /** Aborted when the job is to end before its input does. */
  readonly stop: AbortSignal
}

/**
 * Runs a job in this process until it has finished or is stopped. Rejects with why it failed. Each run begins anew; its
 * checkpoints lie where those of `millrace run` do.
 */
export async function runCellJob({ name, spec, planned }: NonNullable<CellJob['job']>, run: CellRun): Promise<void> {
  const settings = {
    name,
    uid: newRunId(),
    token: randomBytes(16).toString('hex'),
    store: await openedStore(planned.graph.checkpoints.store),
    baseDir: run.baseDir,
    logLevel: 'silent' as const,
  }
  const started = await startInProcess(settings, planned, localTarget(spec), run.print)
  try {
    const progress = new RunProgress()
    while (!run.stop.aborted) {
      const report = await started.report()
      if (report !== undefined && isOver(report, progress, run)) return
      await new Promise((done) => {
        setTimeout(done, POLL_MS)
      })
    }
  } finally {
    await started.close()
  }
}

/** Notes what is new in a report, and whether the job has finished. Throws why it failed. */
function isOver(report: JobReport, progress: RunProgress, { note, progress: show }: CellRun): boolean {
  if (report.phase === 'failed') throw failureOf(report)
  const line = progress.next(report, Date.now())
  if (line !== undefined) show(line)
  // what keeps the job from running stays under the cell
  if (line !== undefined && report.error !== null && report.phase !== 'finished') note(`${line}\n`)
  if (report.phase !== 'finished') for (const loss of progress.losses(report)) note(`${loss}\n`)
  else for (const loss of report.losses ?? []) note(`${report.job}: ${lossText(loss)}\n`)
  return report.phase === 'finished'
}
