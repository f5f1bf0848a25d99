import type { RecordFormat } from '../../../formats/format.ts'
import { MillraceError } from '../../../model/errors.ts'
import type { ReaderContext, SourceConnector } from '../../source.ts'
import type { RetryPolicy } from '../retry.ts'
import { LogEnumerator } from './log-enumerator.ts'
import type { LogOption } from './log-option.ts'
import { LogReader, type Intake, type Receiver } from './log-reader.ts'
import type { ReceivedFields } from './received-option.ts'

/** The options that all sources with a log have. */
export interface LoggedOptions {
  readonly log: LogOption
  readonly format: RecordFormat
  readonly metadata: ReceivedFields | undefined
}

/** A port that another process still has may be free in a moment. */
const POLICY: RetryPolicy = {
  isRetriable: (error) => error instanceof MillraceError,
  describe: (what, error) =>
    error instanceof MillraceError
      ? error
      : new MillraceError('LISTEN_FAILED', what, { domain: 'platform', cause: error }),
  closedCode: 'SOURCE_CLOSED',
}

/**
 * A source that writes what it receives to a log and reads its rows from there. `where` is for messages: `:8080`. `open`
 * begins to receive; it is called again when it rejects.
 */
export function loggedSource(
  { log, format, metadata }: LoggedOptions,
  where: string,
  open: (context: ReaderContext, intake: Intake) => Promise<Receiver>,
): SourceConnector {
  return {
    discoversWithoutAsking: true,
    enumerator: (context) => new LogEnumerator(context, log),
    reader: (context, rows) =>
      new LogReader({
        context,
        rows,
        log,
        format,
        metadata,
        policy: POLICY,
        what: `receiving at ${where}`,
        open: (intake) => open(context, intake),
      }),
  }
}
