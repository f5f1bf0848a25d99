import type { OptionProblem } from '../../../graph/connector-declaration.ts'
import type { ReportOption } from '../../../graph/unknown-options.ts'
import { isFields } from '../../../model/fields.ts'
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
export type LogOption =
  | { readonly kind: 'none'; readonly maxBytes: number }
  | {
      readonly kind: 'folder'
      readonly path: string
      readonly maxBytes: number
      readonly onLoss: 'fail' | 'continue'
    }

/** The most that waits in the memory of a slot without a log. */
const MEMORY_BYTES = 16 * 1024 * 1024

const logOption: OptionType<LogOption> & { readonly fields: typeof FOLDER.fields } = {
  name: '`none`, or mapping of path, maxBytes, onLoss',
  fields: FOLDER.fields,
  read: (value, report) => {
    if (value === 'none') return { kind: 'none', maxBytes: MEMORY_BYTES }
    if (!isFields(value)) {
      report('', `must be none, or a mapping of path, maxBytes, onLoss, found ${shown(value)}`)
      return undefined
    }
    const folder = FOLDER.read(value, report)
    return folder === undefined ? undefined : { kind: 'folder', ...folder }
  },
  opens: (value) => (isFields(value) ? (FOLDER.opens?.(value) ?? []) : []),
}

/** The write-ahead log of a source that cannot ask its senders again. */
export const log = {
  type: logOption,
  required:
    'path: a folder that outlives the process, or none: what was acknowledged and not yet processed is then lost in a crash',
  doc: 'Keeps what was acknowledged until a checkpoint covers it: it is written and flushed before the sender is told. `none` keeps it in memory (16 MiB a slot): a crash loses it.',
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
      kept.kind === 'none' ? 'without a log 16Mi are kept in memory' : 'raise log.maxBytes, or lower this',
    )
}

/** Warns the author of a source without a log. */
export function warnOfNoLog({ kind }: LogOption): OptionProblem[] {
  if (kind !== 'none') return []
  return [
    {
      path: 'log',
      message: 'what was acknowledged and not yet processed is lost when a process dies',
      hint: 'keep it on a volume: log: { path: … }',
    },
  ]
}
