import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export type LogLineListener = (line: string) => void

/**
 * The log of one run of a container: a file of lines, each behind the time it came, and one older file behind it, so
 * a container never takes more than about twice `maxBytes`. Writing is synchronous, hence a reader that reads the
 * files and subscribes in one turn misses no line and sees none twice.
 */
export class ContainerLog {
  readonly path: string
  readonly #maxBytes: number
  readonly #listeners = new Set<LogLineListener>()
  readonly #endListeners = new Set<() => void>()
  #file: number | undefined
  #size = 0

  constructor(path: string, maxBytes: number) {
    this.path = path
    this.#maxBytes = maxBytes
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#file = openSync(path, 'a', 0o600)
  }

  get isOpen(): boolean {
    return this.#file !== undefined
  }

  append(text: string): void {
    if (this.#file === undefined) return
    const line = `${new Date().toISOString()} ${text}`
    this.#size += writeSync(this.#file, `${line}\n`)
    for (const listener of this.#listeners) listener(line)
    if (this.#size > this.#maxBytes) this.#rotate()
  }

  /** All lines that are kept, with their times, the oldest first. */
  lines(): string[] {
    const older = `${this.path}.1`
    const text = (existsSync(older) ? readFileSync(older, 'utf8') : '') + readFileSync(this.path, 'utf8')
    return text === '' ? [] : text.replace(/\n$/, '').split('\n')
  }

  follow(onLine: LogLineListener, onEnd: () => void): () => void {
    this.#listeners.add(onLine)
    this.#endListeners.add(onEnd)
    return () => {
      this.#listeners.delete(onLine)
      this.#endListeners.delete(onEnd)
    }
  }

  close(): void {
    if (this.#file === undefined) return
    closeSync(this.#file)
    this.#file = undefined
    for (const listener of [...this.#endListeners]) listener()
  }

  #rotate(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    renameSync(this.path, `${this.path}.1`)
    this.#file = openSync(this.path, 'a', 0o600)
    this.#size = 0
  }
}

/** Splits a stream of bytes into lines; a line longer than `maxLength` is cut into several. */
export class LineSplitter {
  readonly #decoder = new TextDecoder()
  readonly #onLine: (line: string) => void
  readonly #maxLength: number
  #rest = ''

  constructor(onLine: (line: string) => void, maxLength = 64 * 1024) {
    this.#onLine = onLine
    this.#maxLength = maxLength
  }

  push(bytes: Uint8Array): void {
    const parts = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n')
    this.#rest = parts.pop() ?? ''
    for (const part of parts) this.#onLine(part)
    if (this.#rest.length > this.#maxLength) this.end()
  }

  end(): void {
    if (this.#rest !== '') this.#onLine(this.#rest)
    this.#rest = ''
  }
}
