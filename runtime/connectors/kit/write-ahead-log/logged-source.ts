import type { RecordFormat } from '../../../formats/format.ts'
import { MillraceError } from '../../../model/errors.ts'
import type { ReaderContext, SourceConnector } from '../../source.ts'
import type { KafkaConnect } from '../../kafka/client.ts'
import { TopicLogEnumerator } from '../../kafka/log/topic-log-enumerator.ts'
import { TopicLogReader } from '../../kafka/log/topic-log-reader.ts'
import type { RetryPolicy } from '../retry.ts'
import { LogEnumerator } from './log-enumerator.ts'
import type { LogOption } from './log-option.ts'
import { LogReader } from './log-reader.ts'
import type { ReceivedFields } from './received-option.ts'
import type { Intake, Receiver, ReceptionParts } from './reception.ts'

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

export interface Receiving {
  /** For messages: `port 8080`. */
  readonly where: string
  /** Begins to receive; called again when it rejects. */
  open(context: ReaderContext, intake: Intake): Promise<Receiver>
  /** For a log in Kafka. */
  readonly connectKafka: KafkaConnect
}

/** A source that writes what it receives to a log and reads its rows from there. */
export function loggedSource(
  { log, format, metadata }: LoggedOptions,
  { where, open, connectKafka: connect }: Receiving,
): SourceConnector {
  const receptionOf = (context: ReaderContext): ReceptionParts => ({
    context,
    policy: POLICY,
    what: `receiving at ${where}`,
    open: (intake) => open(context, intake),
  })
  if (log.kind === 'topic')
    return {
      enumerator: (context) => new TopicLogEnumerator(context, log, format, connect),
      reader: (context, rows) => new TopicLogReader({ ...receptionOf(context), rows, log, format, metadata, connect }),
    }
  return {
    discoversWithoutAsking: true,
    enumerator: (context) => new LogEnumerator(context, log),
    reader: (context, rows) => new LogReader({ ...receptionOf(context), rows, log, format, metadata }),
  }
}
