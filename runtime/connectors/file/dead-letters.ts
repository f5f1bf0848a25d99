import { MillraceError } from '../../model/errors.ts'
import { mayPass } from '../../ports/file-errors.ts'
import type { Files } from '../../ports/files.ts'
import type { DeadLetter, DeadLetterConnector, DeadLetters } from '../dead-letters.ts'
import { resolvePath, unknownOptions } from './declaration.ts'

/** `onError: { deadLetter: { file: { path: FILE } } }`: one JSON object per line, appended by all subtasks. */
export const fileDeadLetters: DeadLetterConnector = {
  validate(options) {
    const problems = unknownOptions(options, ['path'])
    const { path } = options
    return typeof path === 'string' && path !== ''
      ? problems
      : [...problems, { path: 'path', message: 'the file for the dead letters is needed' }]
  },
  open: ({ options, ports, baseDir }) =>
    Promise.resolve(new FileDeadLetters(ports.files, resolvePath(baseDir, String(options['path'])))),
}

class FileDeadLetters implements DeadLetters {
  readonly #files: Files
  readonly #path: string
  #lines: string[] = []
  #isDirty = false

  constructor(files: Files, path: string) {
    this.#files = files
    this.#path = path
  }

  add({ where, reason, record }: DeadLetter): void {
    const text =
      typeof record === 'string'
        ? record
        : Buffer.from(record.buffer, record.byteOffset, record.byteLength).toString('utf8')
    this.#lines.push(`${JSON.stringify({ where, reason, record: text })}\n`)
  }

  push(): Promise<void> | undefined {
    return this.#lines.length > 0 ? this.#append() : undefined
  }

  async flush(): Promise<void> {
    await this.push()
    if (!this.#isDirty) return
    await this.#act(() => this.#files.sync(this.#path))
    this.#isDirty = false
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #append(): Promise<void> {
    const lines = this.#lines
    this.#lines = []
    this.#isDirty = true
    await this.#act(() => this.#files.append(this.#path, Buffer.from(lines.join(''), 'utf8')))
  }

  async #act(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (cause) {
      throw new MillraceError('DEAD_LETTER_UNWRITTEN', `cannot write dead letters to ${this.#path}`, {
        domain: 'platform',
        retriable: mayPass(cause),
        cause,
      })
    }
  }
}
