import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { descendantsOf, type Ended, startMillrace, type StartedMillrace } from './processes.ts'

/** Jobs of one test file, each with a folder of its own for its file and its checkpoints. */
export class LocalRuns {
  readonly #dir: string
  #jobs = 0

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Writes a job, and its modules by their names: the path of its file. */
  fileOf(graph: readonly object[], replicas = 1, modules: Readonly<Record<string, string>> = {}): string {
    const name = `job-${++this.#jobs}`
    const folder = join(this.#dir, name)
    mkdirSync(folder)
    const file = join(folder, 'job.yaml')
    for (const [module, code] of Object.entries(modules)) writeFileSync(join(folder, `${module}.mjs`), code)
    const spec = {
      replicas,
      checkpoints: { interval: '200ms', store: join(folder, 'store') },
      modules: Object.fromEntries(Object.keys(modules).map((module) => [module, { path: `./${module}.mjs` }])),
      graph,
    }
    writeFileSync(
      file,
      JSON.stringify({ apiVersion: 'millrace.dev/v1alpha1', kind: 'StreamJob', metadata: { name }, spec }),
    )
    return file
  }

  /** Runs a job in one process, to its end. */
  run(graph: readonly object[], modules: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return startMillrace('run', this.fileOf(graph, 1, modules), '--in-process').ended
  }
}

/** Whether a checkpoint of the job is complete: the first entry of its log is the claim, the second a checkpoint. */
export function hasCheckpoint(file: string): boolean {
  return logEntries(file) > 1
}

/** How many entries the job's log has had: claims and checkpoints. */
export function logEntries(file: string): number {
  const store = join(file, '..', 'store')
  if (!existsSync(store)) return 0
  const paths = readdirSync(store, { recursive: true }).map(String)
  return Math.max(0, ...paths.map((path) => Number(/log[/](\d+)$/.exec(path)?.[1] ?? 0)))
}

/** The lines that a file sink has made visible. */
export function linesOf(out: string): string[] {
  if (!existsSync(out)) return []
  return readdirSync(out)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => readFileSync(join(out, name), 'utf8').trim().split('\n'))
}

/** SIGKILL for the run and all its processes. */
export function killRun(run: StartedMillrace): Promise<Ended> {
  for (const { pid } of descendantsOf(run.process.pid ?? 0)) process.kill(pid, 'SIGKILL')
  run.process.kill('SIGKILL')
  return run.ended
}

/** What `--resume` takes. */
export function runIdOf({ stderr }: StartedMillrace): string {
  return /run (run-[0-9a-f]{12})/.exec(stderr())?.[1] ?? ''
}
