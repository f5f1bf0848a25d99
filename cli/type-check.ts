import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ownModule } from '../runtime/ports/real/own-module.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import { findingOf, type Finding } from './lint.ts'

/** Whether types of a job are checked: always, never, or where a tsconfig.json lies above it and TypeScript is installed. */
export type TypeCheck = 'always' | 'never' | 'ifConfigured'

/** `--type-check`, `--no-type-check` or neither. */
export function typeCheckOf(option: boolean | undefined): TypeCheck {
  if (option === undefined) return 'ifConfigured'
  return option ? 'always' : 'never'
}

const API = fileURLToPath(ownModule('../runtime/front/typescript/millrace.ts', import.meta.url))
const RUNTIME = fileURLToPath(new URL('../runtime/', import.meta.url))
const OUTPUT_LIMIT = 64 * 1024 * 1024

/** A job without a tsconfig.json above it is checked like this. */
const WITHOUT_CONFIG = { strict: true, module: 'nodenext', target: 'esnext', lib: ['esnext'], types: [] }

/**
 * What the user's own TypeScript says about the job and what it imports, each as `TS2345` with its place. Nothing is
 * started where there is nothing to check with. Rejects with TYPE_CHECK_UNAVAILABLE when types are to be checked always
 * and cannot be.
 */
export async function typeFindings(file: string, wanted: TypeCheck): Promise<readonly Finding[]> {
  if (wanted === 'never' || !/\.m?ts$/.test(file)) return []
  const folder = dirname(resolve(file))
  const config = foundAbove(folder, 'tsconfig.json')
  if (wanted === 'ifConfigured' && config === undefined) return []
  const manifest = foundAbove(folder, 'node_modules/typescript/package.json')
  if (manifest === undefined) {
    if (wanted === 'ifConfigured') return []
    throw new MillraceError('TYPE_CHECK_UNAVAILABLE', `no TypeScript is installed for ${file}`, {
      domain: 'user',
      hint: 'npm install --save-dev typescript',
    })
  }
  const output = await compilerOutput(
    join(dirname(manifest), 'bin', 'tsc'),
    config === undefined ? folder : dirname(config),
    {
      ...(config === undefined ? {} : { extends: config }),
      files: [resolve(file)],
      include: [],
      references: [],
      compilerOptions: {
        ...(config === undefined ? WITHOUT_CONFIG : {}),
        ...(knowsApi(folder) ? {} : { paths: { millrace: [API] } }),
        ...{ noEmit: true, composite: false, incremental: false, tsBuildInfoFile: null },
        // what does not keep the job from running is the linter's
        ...{ noUnusedLocals: false, noUnusedParameters: false, skipLibCheck: true },
        // as Node runs the file
        allowImportingTsExtensions: true,
      },
    },
  )
  return findingsIn(output, file)
}

/** Runs the compiler with a configuration that lies beside that of the user while it runs, so that both find the same packages. */
async function compilerOutput(compiler: string, folder: string, settings: object): Promise<string> {
  const project = join(folder, `.millrace-type-check-${process.pid}.json`)
  try {
    writeFileSync(project, JSON.stringify(settings))
    return await new Promise((done, fail) => {
      execFile(
        process.execPath,
        [compiler, '--project', project, '--pretty', 'false'],
        { maxBuffer: OUTPUT_LIMIT },
        (error, stdout, stderr) => {
          // its exit code says that there are diagnostics
          if (error === null || typeof error.code === 'number') done(`${stdout}${stderr}`)
          else fail(error)
        },
      )
    })
  } catch (cause) {
    throw new MillraceError('TYPE_CHECK_UNAVAILABLE', 'types cannot be checked', {
      domain: 'user',
      cause,
      hint: '--no-type-check leaves it out',
    })
  } finally {
    rmSync(project, { force: true })
  }
}

/** `job.ts(4,5): error TS2345: …` and lines behind it that say why. What is wrong in Millrace is not the user's. */
export function findingsIn(output: string, file: string): Finding[] {
  const findings: Finding[] = []
  let isOwn = false
  for (const line of output.split(/\r?\n/)) {
    const [, path = '', row, column, code, message = ''] =
      /^(?:(.+?)\((\d+),(\d+)\): )?error (TS\d+): (.*)$/.exec(line) ?? []
    const last = findings.at(-1)
    if (code !== undefined) {
      isOwn = path !== '' && resolve(path).startsWith(RUNTIME) && !resolve(file).startsWith(RUNTIME)
      if (isOwn) continue
      const at = { line: Number(row ?? 1), column: Number(column ?? 1) }
      const shown = path === '' || resolve(path) === resolve(file) ? file : relative('.', resolve(path))
      findings.push(findingOf(shown, at, { code, path: '', message }))
    } else if (/^ +\S/.test(line) && last !== undefined && !isOwn) last.message += ` ${line.trim()}`
  }
  return findings
}

/** Whether TypeScript finds `millrace` from there: as a package, or because it is its source. */
function knowsApi(folder: string): boolean {
  if (foundAbove(folder, 'node_modules/millrace/package.json') !== undefined) return true
  const own = foundAbove(folder, 'package.json')
  return own !== undefined && /"name":\s*"millrace"/.test(readFileSync(own, 'utf8'))
}

function foundAbove(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, name)
    if (existsSync(candidate)) return candidate
    if (at === dirname(at)) return undefined
  }
}
