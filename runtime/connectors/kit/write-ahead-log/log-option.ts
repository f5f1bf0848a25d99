import type { OptionDescriptions, OptionProblem, Options } from '../../../graph/connector-declaration.ts'
import { joinRelative } from '../../../graph/problems.ts'
import type { ReportOption } from '../../../graph/unknown-options.ts'
import { isFields } from '../../../model/fields.ts'
import { logTopic, type KafkaLogTopic } from '../../kafka/declaration.ts'
import { mapping } from '../option-set.ts'
import { byteSize, choice, filePath, shown, type OptionType } from '../option-types.ts'

const FOLDER = mapping({
  path: {
    type: filePath,
    required: 'a folder that outlives the process',
    doc: 'A folder on a volume that outlives the process and that all processes of the job mount.',
  },
  maxBytes: {
    type: byteSize('1Mi'),
    default: '1Gi',
    doc: 'The most that the log of one slot holds. When it is full, senders have to wait.',
  },
  onLoss: {
    type: choice('fail', 'continue'),
    default: 'fail',
    doc: 'Whether the job fails when a part of the log that the restored state refers to is gone, or goes on without it.',
  },
})

/** Where what was acknowledged is kept until a checkpoint covers it. */
export type LogOption = SegmentLog | ({ readonly kind: 'topic' } & KafkaLogTopic)

/** A log of segments of our own, on a volume or in memory. */
export type SegmentLog =
  | { readonly kind: 'none'; readonly maxBytes: number }
  | {
      readonly kind: 'folder'
      readonly path: string
      readonly maxBytes: number
      readonly onLoss: 'fail' | 'continue'
    }

/** The most that waits in the memory of a slot without a log. */
const MEMORY_BYTES = 16 * 1024 * 1024

const FORMS = 'none, a mapping of path, maxBytes, onLoss, or kafka: with a topic'

const logOption: OptionType<LogOption> & { readonly fields: OptionDescriptions } = {
  name: '`none`, or mapping of path, maxBytes, onLoss, or of kafka',
  fields: {
    ...FOLDER.fields,
    kafka: { type: logTopic, doc: 'In place of a folder, a topic of Kafka.' },
  },
  read: (value, report) => {
    if (value === 'none') return { kind: 'none', maxBytes: MEMORY_BYTES }
    if (!isFields(value)) {
      report('', `must be ${FORMS}, found ${shown(value)}`)
      return undefined
    }
    if (Object.hasOwn(value, 'kafka')) return readTopic(value, report)
    const folder = FOLDER.read(value, report)
    return folder === undefined ? undefined : { kind: 'folder', ...folder }
  },
  opens: (value) => {
    if (!isFields(value)) return []
    if (!Object.hasOwn(value, 'kafka')) return FOLDER.opens?.(value) ?? []
    return (logTopic.opens?.(value['kafka']) ?? []).map((one) => ({ ...one, path: joinRelative('kafka', one.path) }))
  },
}

function readTopic(value: Options, report: ReportOption): LogOption | undefined {
  const others = Object.keys(value).filter((name) => name !== 'kafka')
  for (const name of others) report(name, 'has no meaning beside kafka', 'leave it out')
  const topic = logTopic.read(value['kafka'], (path, message, hint) => {
    report(joinRelative('kafka', path), message, hint)
  })
  return topic === undefined || others.length > 0 ? undefined : { kind: 'topic', ...topic }
}

/** The write-ahead log of a source that cannot ask its senders again. */
export const log = {
  type: logOption,
  required:
    'path: a folder that outlives the process, kafka: a topic, or none: what was acknowledged and not yet processed is then lost in a crash',
  doc: 'Keeps what was acknowledged until a checkpoint covers it: it is written and flushed, or acknowledged by all replicas, before the sender is told. `none` keeps it in memory (16 MiB a slot): a crash loses it. `kafka` keeps it in a topic.',
} as const

/** A frame of the log holds what comes at once; a longer one would be taken for damage. */
const LARGEST_BYTES = 64 * 1024 * 1024

/** A rule of option sets: what one sender may send at once has to fit into the log, or it would wait for ever. */
export function checkFits(
  kept: LogOption | undefined,
  name: string,
  largestBytes: number | undefined,
  report: ReportOption,
): void {
  if (kept === undefined || largestBytes === undefined) return
  if (largestBytes > LARGEST_BYTES) report(name, 'must be at most 64Mi')
  else if (largestBytes * 2 > kept.maxBytes)
    report(
      name,
      `must be at most half of what the log holds, ${kept.maxBytes} bytes`,
      kept.kind === 'folder' ? 'raise log.maxBytes, or lower this' : '16Mi are kept in memory',
    )
}

/** Warns the author of a source without a log. */
export function warnOfNoLog({ kind }: LogOption): OptionProblem[] {
  if (kind !== 'none') return []
  return [
    {
      path: 'log',
      message: 'what was acknowledged and not yet processed is lost when a process dies',
      hint: 'keep it on a volume, log: { path: … }, or in Kafka, log: { kafka: { brokers: …, topic: … } }',
    },
  ]
}
