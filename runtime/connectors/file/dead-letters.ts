import { MillraceError } from '../../model/errors.ts'
import { mayPass } from '../../ports/file-errors.ts'
import type { Files } from '../../ports/files.ts'
import type { DeadLetter, DeadLetterConnector, DeadLetters } from '../dead-letters.ts'
import { recordBytes } from '../kit/dead-letter-record.ts'
import type { FileDeadLetterOptions } from './declaration.ts'
import { resolvePath } from './paths.ts'

/** `onError: { deadLetter: { file: { path: FILE } } }`: one JSON object per line, appended by all subtasks. */
export function fileDeadLetters({ path }: FileDeadLetterOptions): DeadLetterConnector {
  return { open: ({ ports, baseDir }) => Promise.resolve(new FileDeadLetters(ports.files, resolvePath(baseDir, path))) }
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

  add(letter: DeadLetter): void {
    const { where, reason } = letter
    this.#lines.push(`${JSON.stringify({ where, reason, record: recordBytes(letter).toString('utf8') })}\n`)
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
