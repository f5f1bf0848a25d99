import { pino } from 'pino'
import type { DestinationStream, Logger as Pino } from 'pino'
import { describeWithCauses } from '../../model/errors.ts'
import { printable } from '../../model/printable.ts'
import type { LogFields, Logger } from '../logger.ts'

export interface LoggerOptions {
  /** Where lines go; stdout in pods, stderr where stdout carries results. */
  to: 'stdout' | 'stderr'
  level: 'debug' | 'info' | 'warn' | 'error'
  /** Fields of every line, e.g. job and slot. */
  fields?: LogFields
}

/** One JSON object per line (pino); on a terminal `time level message field=value` instead. */
export function createLogger(options: LoggerOptions): Logger {
  const stream = options.to === 'stdout' ? process.stdout : process.stderr
  const destination = stream.isTTY
    ? {
        write: (line: string) => {
          stream.write(readable(line))
        },
      }
    : printableLines(pino.destination({ fd: stream.fd, sync: true }))
  const root = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  return new PinoLogger(options.fields ? root.child(plain(options.fields)) : root)
}

class PinoLogger implements Logger {
  readonly #pino: Pino

  constructor(target: Pino) {
    this.#pino = target
  }

  debug(message: string, fields: LogFields = {}): void {
    if (this.#pino.isLevelEnabled('debug')) this.#pino.debug(plain(fields), message)
  }
  info(message: string, fields: LogFields = {}): void {
    this.#pino.info(plain(fields), message)
  }
  warn(message: string, fields: LogFields = {}): void {
    this.#pino.warn(plain(fields), message)
  }
  error(message: string, fields: LogFields = {}): void {
    this.#pino.error(plain(fields), message)
  }
  with(fields: LogFields): Logger {
    return new PinoLogger(this.#pino.child(plain(fields)))
  }
}

/** Errors inside fields become text, or pino would print them as `{}`. */
function plain(fields: LogFields): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields))
    out[name] = value instanceof Error ? describeWithCauses(value) : value
  return out
}

/** JSON leaves C1 as it is, and somebody looks at the log of a pod on a terminal. */
function printableLines(to: DestinationStream): DestinationStream {
  return {
    write: (line) => {
      to.write(printable(line))
    },
  }
}

function readable(line: string): string {
  const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>
  const details = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${printable(`${String(message)}${details.join('')}`)}\n`
}
