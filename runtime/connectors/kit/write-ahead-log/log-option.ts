import type { OptionProblem } from '../../../graph/connector-declaration.ts'
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
    doc: 'What happens when a part of the log that the restored state refers to is gone.',
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

/** What waits in the memory of a slot that has no log. */
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

/** What the author of a source without a log should know. */
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
