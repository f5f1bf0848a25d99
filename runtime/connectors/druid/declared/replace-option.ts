import type { OptionProblem } from '../../../graph/connector-declaration.ts'
import { fieldOf, type Schema } from '../../../model/schema.ts'
import { auth, type Auth } from '../../kit/auth-option.ts'
import { mapping } from '../../kit/option-set.ts'
import { choice, text } from '../../kit/option-types.ts'
import { storagePath } from '../../kit/storage-option.ts'
import { tls } from '../../kit/tls-option.ts'
import { httpUrl } from '../../kit/url-option.ts'
import type { TlsFiles } from '../../../model/tls-files.ts'
import type { ReportOption } from '../../../graph/unknown-options.ts'
import { schemeOf } from '../../../ports/store.ts'
import { time } from './time-option.ts'

export type Granularity = 'hour' | 'day' | 'month' | 'year'

/** The beginning of the segment that has a time, in UTC. */
function startOf(granularity: Granularity, ms: number): number {
  const at = new Date(ms)
  switch (granularity) {
    case 'hour':
      return at.setUTCMinutes(0, 0, 0)
    case 'day':
      return at.setUTCHours(0, 0, 0, 0)
    case 'month':
      return startOf('day', at.setUTCDate(1))
    case 'year':
      return startOf('day', at.setUTCMonth(0, 1))
  }
}

export const REPLACE_TABLE = {
  url: {
    type: httpUrl,
    required: 'the address of a router or overlord',
    doc: 'The router or the overlord, as in `http://druid-router:8888`.',
  },
  from: { type: time, required: 'the first time to replace', doc: 'The first `__time` that is replaced.' },
  to: { type: time, required: 'the time to end before', doc: 'The `__time` before which the replacing ends.' },
  timestamp: {
    type: text,
    default: '__time',
    doc: 'The field of type timestamp that becomes `__time`.',
  },
  granularity: {
    type: choice('hour', 'day', 'month', 'year'),
    default: 'day',
    doc: 'How much of time a segment covers (`segmentGranularity`), in UTC.',
  },
  files: {
    type: storagePath,
    required: 'a folder or a place in S3 that the job writes and Druid reads',
    doc: 'Where the rows wait until the job has all of them: a folder that the job and the tasks of Druid see under the same path, or `s3://bucket/loads?endpoint=…`, which Druid reads with its own credentials.',
  },
  tls: {
    type: tls,
    default: false,
    doc: 'For https: whom to trust and who the job is. The files are read again for each connection.',
  },
  auth,
} as const

/** `replace` of a sink: the rows of the whole job become what the datasource has between two times. */
export const replace = {
  type: mapping(REPLACE_TABLE),
  doc: 'Loads the rows without Kafka, when all of a bounded job have come: they replace what the datasource has from `from` to before `to`.',
} as const

export interface ReplaceOptions {
  readonly url: string
  readonly auth: Auth | undefined
  readonly tls: TlsFiles | undefined
  readonly datasource: string
  readonly fromMs: number
  readonly toMs: number
  readonly timestamp: string
  readonly granularity: Granularity
  /** A folder, or a URL of S3. */
  readonly files: string
}

/** A mistake that several options of `replace` make together; paths are relative to it. */
export function checkReplace(
  {
    from,
    to,
    granularity = 'day',
    files,
  }: {
    readonly from: number | undefined
    readonly to: number | undefined
    readonly granularity: Granularity | undefined
    readonly files: string | undefined
  },
  report: ReportOption,
): void {
  if (from !== undefined && to !== undefined && from >= to)
    report('to', `must be later than from, which is ${new Date(from).toISOString()}`)
  for (const [name, at] of [
    ['from', from],
    ['to', to],
  ] as const)
    if (at !== undefined && startOf(granularity, at) !== at)
      report(
        name,
        `must be where a segment begins, found ${new Date(at).toISOString()} with granularity ${granularity}`,
        'Druid replaces whole segments only: take the beginning of one (UTC), or a smaller granularity',
      )
  if (files !== undefined && !['file', 's3'].includes(schemeOf(files)))
    report('files', 'must be a folder or a URL of S3: Druid reads no other storage')
}

/** Returns what of the schema cannot be loaded. */
export function replaceProblems(timestamp: string, schema: Schema): OptionProblem[] {
  const field = fieldOf(schema, timestamp)
  if (field?.type === 'timestamp') return []
  return [
    {
      path: 'replace.timestamp',
      message:
        field === undefined
          ? `is ${JSON.stringify(timestamp)}, and the rows have no such field`
          : `is ${JSON.stringify(timestamp)}, a field of type ${field.type}`,
      hint: `name a field of type timestamp: ${schema.fields.flatMap(({ name, type }) => (type === 'timestamp' ? [name] : [])).join(', ') || 'there is none'}`,
    },
  ]
}
