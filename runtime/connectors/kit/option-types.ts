import { redactedStart } from '../../model/redacted.ts'
import { parseBytes } from '../../model/byte-size.ts'
import { parseDurationMs } from '../../model/time.ts'
import type { OpenedFile } from '../../graph/connector-declaration.ts'
import type { ReportOption } from '../../graph/unknown-options.ts'

/** How one option is written and read. */
export interface OptionType<Value> {
  /** The documentation shows it: `duration`, `true or false`. */
  readonly name: string
  /** Returns undefined after it has reported a mistake; paths are relative to the value. */
  read(value: unknown, report: ReportOption): Value | undefined
  /** Returns the files that a value which was read without mistake names; paths are relative to the value. */
  opens?(value: unknown): readonly OpenedFile[]
}

/** A connector that waits longer does not say what it waits for. */
const LONGEST_DURATION_MS = 7 * 86_400_000

export const text: OptionType<string> = {
  name: 'text',
  read: (value, report) => {
    if (isText(value)) return value
    report('', `must be a text, found ${shown(value)}`)
    return undefined
  },
}

/** A text that a pattern matches. */
export function textOf(what: string, pattern: RegExp): OptionType<string> {
  return {
    name: what,
    read: (value, report) => {
      if (isText(value) && pattern.test(value)) return value
      report('', `must be a ${what}, found ${shown(value)}`)
      return undefined
    },
  }
}

/** A port of TCP, 0 excluded: senders have to know it. */
export const port: OptionType<number> = {
  name: 'port from 1 to 65535',
  read: (value, report) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535) return value
    report('', `must be a port from 1 to 65535, found ${shown(value)}`)
    return undefined
  },
}

/** A file or folder of the pod that the connector opens. */
export const filePath: OptionType<string> = {
  name: text.name,
  opens: (file) => [{ path: '', file: String(file), as: 'file' }],
  read: (value, report) => {
    if (typeof value !== 'string' || !value.includes('://')) return text.read(value, report)
    // a folder called s3: would be made of it
    report('', `must be a path of a file or folder, found ${shown(value)}`, 'storages are not supported here')
    return undefined
  },
}

/** A file of a mounted Secret. */
export const secretFile: OptionType<string> = {
  ...text,
  opens: (file) => [{ path: '', file: String(file), as: 'secret' }],
}

export const flag: OptionType<boolean> = {
  name: 'true or false',
  read: (value, report) => {
    if (typeof value === 'boolean') return value
    report('', `must be true or false, found ${shown(value)}`)
    return undefined
  },
}

/** Any of a few words. */
export function choice<const Word extends string>(...words: readonly Word[]): OptionType<Word> {
  return {
    name: words
      .map((word) => `\`${word}\``)
      .join(', ')
      .replace(/, (?=[^,]*$)/, ' or '),
    read: (value, report) => {
      const found = words.find((word) => word === value)
      if (found === undefined) report('', `must be one of ${words.join(', ')}, found ${shown(value)}`)
      return found
    },
  }
}

/** One word, because of `reason`. */
export function only<const Word extends string>(word: Word, reason: string): OptionType<Word> {
  return {
    name: `\`${word}\``,
    read: (value, report) => {
      if (value === word) return word
      report('', `must be ${word}, found ${shown(value)}: ${reason}`)
      return undefined
    },
  }
}

/** A whole number from 1 to `most`. */
export function count(most = Number.MAX_SAFE_INTEGER): OptionType<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? 'whole number from 1' : `whole number from 1 to ${most}`
  return {
    name: range,
    read: (value, report) => {
      if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= most) return value
      report('', `must be a ${range}, found ${shown(value)}`)
      return undefined
    },
  }
}

/** Read as milliseconds. */
export function duration(least: string): OptionType<number> {
  const leastMs = parseDurationMs(least) ?? 0
  return {
    name: `duration from ${least} to 7d`,
    read: (value, report) => {
      const ms = typeof value === 'string' ? parseDurationMs(value) : undefined
      if (ms !== undefined && ms >= leastMs && ms <= LONGEST_DURATION_MS) return ms
      report('', `must be a duration from ${least} to 7d, found ${shown(value)}`)
      return undefined
    },
  }
}

/** Read as bytes. */
export function byteSize(least: string): OptionType<number> {
  const leastBytes = parseBytes(least) ?? 0
  return {
    name: `size from ${least}, as in 128Mi`,
    read: (value, report) => {
      const bytes = typeof value === 'string' ? parseBytes(value) : undefined
      if (bytes !== undefined && bytes >= leastBytes) return bytes
      report('', `must be a size from ${least}, found ${shown(value)}`, 'write it as 128Mi or 1Gi, as Kubernetes does')
      return undefined
    },
  }
}

/** One text, or a list of them. */
export function textList(what: string): OptionType<readonly string[]> {
  return {
    name: `${what}, or a list of them`,
    read: (value, report) => {
      const list: readonly unknown[] = Array.isArray(value) ? value : [value]
      if (list.length > 0 && list.every(isText)) return list
      report('', `must be a ${what}, or a list of them`)
      return undefined
    },
  }
}

const MOST_SHOWN = 1000

/** A value as an error message shows it. */
export function shown(value: unknown): string {
  return redactedStart(JSON.stringify(value) ?? 'nothing', MOST_SHOWN)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
