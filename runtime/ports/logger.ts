/** Constant message, values as fields: `log.info('checkpoint completed', { checkpoint, durationMs })`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger
}

export type LogFields = Readonly<Record<string, unknown>>
