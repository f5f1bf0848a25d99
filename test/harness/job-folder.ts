import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inputFiles, windowJob, type WindowJobSettings } from './simulation/window-job.ts'

/** A temporary folder with the window job's input, its job file, its checkpoints and its output. */
export class JobFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'millrace-run-'))
  readonly store = join(this.path, 'checkpoints')
  readonly jobFile = join(this.path, 'job.yaml')

  constructor(lines: number) {
    for (const [path, text] of inputFiles(this.path, lines)) writeFileSync(path, text)
  }

  /** The window job reading and writing here. */
  spec(replicas: number, settings: Omit<WindowJobSettings, 'folder'>) {
    const { checkpoints, ...spec } = windowJob(replicas, { folder: this.path, ...settings })
    return { ...spec, checkpoints: { ...checkpoints, store: this.store } }
  }

  /** Writes job.yaml: JSON, which is YAML, one field a line. */
  writeJob(spec: object): void {
    const job = { apiVersion: 'millrace.dev/v1alpha1', kind: 'StreamJob', metadata: { name: 'hot-auctions' }, spec }
    writeFileSync(this.jobFile, JSON.stringify(job, null, 2))
  }

  /** Every line of the input. */
  input(): string[] {
    return readdirSync(this.path)
      .filter((name) => /^in-.*\.jsonl$/.test(name))
      .flatMap((name) =>
        readFileSync(join(this.path, name), 'utf8')
          .split('\n')
          .filter((line) => line !== ''),
      )
  }

  /** Committed output lines, sorted: pending part files begin with a dot and do not count. */
  output(): string[] {
    const folder = join(this.path, 'out')
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.'))
      .flatMap((name) =>
        readFileSync(join(folder, name), 'utf8')
          .split('\n')
          .filter((line) => line !== ''),
      )
      .sort()
  }

  /** Where the state of each run of `millrace run` lies. */
  runs(): string[] {
    const folder = join(this.store, 'local', 'hot-auctions')
    return readdirSync(folder).map((run) => join(folder, run))
  }

  delete(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
