import { errorReport, MillraceError, type Position } from '../runtime/model/errors.ts'
import type { ConnectorDeclarations } from '../runtime/graph/connector-declaration.ts'
import { readJobFiles, type JobFile } from '../runtime/front/job-file.ts'
import { validateJob } from '../runtime/front/job-spec.ts'
import type { Problem } from '../runtime/graph/problems.ts'
import type { Console } from './console.ts'

export interface LintOptions {
  output: 'text' | 'json'
  connectors: ConnectorDeclarations
}

/** What lint needs of the world. */
export interface LintIo extends Console {
  /** The text of a file; rejects when it cannot be read. */
  readText(path: string): Promise<string>
  /** What is wrong with a job written as a module, which is run for that; undefined for any other file. */
  moduleFindings?(path: string): Promise<readonly Finding[]> | undefined
}

/** One line of `-o json`; its keys are stable. */
export interface Finding {
  file: string
  line: number
  column: number
  severity: 'error' | 'warning'
  code: string
  path: string
  message: string
  hint?: string
}

/**
 * Checks job files by reading them. Exit code: 0 all good, warnings or not, 1 something is wrong with a job, 2
 * nothing could be read.
 */
export async function lint(files: readonly string[], options: LintOptions, io: LintIo): Promise<0 | 1 | 2> {
  if (files.length === 0) {
    io.err('nothing to lint: name one or more job files, e.g. millrace lint job.yaml\n')
    return 2
  }
  const findings: Finding[] = []
  let jobs = 0
  let unread = 0
  for (const file of files) {
    const text = await readOrReport(file, io)
    if (text === undefined) {
      unread += 1
      continue
    }
    const module = await io.moduleFindings?.(file)
    const found = module === undefined ? lintText(file, text, options.connectors) : { jobs: 1, findings: module }
    jobs += found.jobs
    findings.push(...found.findings)
    if (options.output === 'text')
      for (const finding of found.findings)
        io.out(findingText(finding, finding.file === file ? text : ((await readOrReport(finding.file, io)) ?? '')))
  }
  if (options.output === 'json')
    io.out(`${JSON.stringify({ files: files.length - unread, jobs, findings }, null, 2)}\n`)
  else io.err(`${count(files.length - unread, 'file')} read, ${count(jobs, 'job')}, ${summary(findings)}\n`)
  if (unread > 0) return 2
  return findings.some((finding) => finding.severity === 'error') ? 1 : 0
}

const READ_OTHERWISE = { code: 'YAML_READ_OTHERWISE', path: '', hint: 'put quotes around it' }

/** All findings of one file, in the order of its lines. */
export function lintText(
  file: string,
  text: string,
  connectors: ConnectorDeclarations,
): { jobs: number; findings: Finding[] } {
  let jobs: JobFile[]
  try {
    jobs = readJobFiles(text)
  } catch (error) {
    if (!(error instanceof MillraceError) || error.domain !== 'user') throw error
    return {
      jobs: 0,
      findings: [findingOf(file, error.position ?? { line: 1, column: 1 }, { ...errorReport(error), path: '' })],
    }
  }
  const findings = jobs.flatMap((job) => {
    const result = validateJob(job.spec, connectors)
    const problems = [...job.problems, ...('problems' in result ? result.problems : [])]
    const warnings = 'warnings' in result ? result.warnings : []
    return [
      ...problems.map((problem) => findingOf(file, job.locate(problem), problem)),
      ...warnings.map((warning) => findingOf(file, job.locate(warning), warning, 'warning')),
      ...job.differences.map(({ at, message }) => findingOf(file, at, { ...READ_OTHERWISE, message }, 'warning')),
    ]
  })
  return { jobs: jobs.length, findings: findings.toSorted((a, b) => a.line - b.line || a.column - b.column) }
}

export function findingOf(
  file: string,
  at: Position,
  problem: Pick<Problem, 'code' | 'path' | 'message' | 'hint'>,
  severity: Finding['severity'] = 'error',
): Finding {
  const { code, path, message, hint } = problem
  return {
    file,
    line: at.line,
    column: at.column,
    severity,
    code,
    path,
    message,
    ...(hint === undefined ? {} : { hint }),
  }
}

function summary(findings: readonly Finding[]): string {
  const errors = findings.filter((finding) => finding.severity === 'error').length
  const warnings = findings.length - errors
  return `${count(errors, 'error')}${warnings === 0 ? '' : `, ${count(warnings, 'warning')}`}`
}

/** `job.yaml:12:15 error UNKNOWN_FIELD spec.graph[1].filter: … did you mean "price"?`, the line, and a caret. */
export function findingText(finding: Finding, text: string): string {
  const { file, line, column, severity, code, path, message, hint } = finding
  const head = `${file}:${line}:${column} ${severity} ${code} ${path === '' ? '' : `${path}: `}${message}${hint === undefined ? '' : `; ${hint}`}`
  const written = text.split('\n')[line - 1]?.trimEnd()
  if (written === undefined || written === '') return `${shownLine(head)}\n`
  const { shown, caret } = aroundColumn(written, column)
  const gutter = ' '.repeat(String(line).length)
  return `${shownLine(head)}\n  ${line} | ${shownLine(shown)}\n  ${gutter} | ${' '.repeat(caret)}^\n`
}

/** A long line is cut so that the caret stays on the screen. */
function aroundColumn(written: string, column: number): { shown: string; caret: number } {
  const first = column > 100 ? column - 60 : 0
  return { shown: written.slice(first, first + 120), caret: column - 1 - first }
}

/** One column for each character, so that the caret stands where it should. */
function shownLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ')
}

async function readOrReport(file: string, io: LintIo): Promise<string | undefined> {
  try {
    return await io.readText(file)
  } catch (error) {
    io.err(`cannot read ${file}: ${errorReport(error).message}\n`)
    return undefined
  }
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? '' : 's'}`
}
