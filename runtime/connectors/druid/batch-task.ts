import { createHash } from 'node:crypto'
import { isAbsolute, join } from 'node:path'
import type { Field, Schema } from '../../model/schema.ts'
import { s3LocationOf } from '../../ports/s3-location.ts'
import { schemeOf } from '../../ports/store.ts'
import type { ReplaceOptions } from './declared/replace-option.ts'

/** The files of one load, and where their rows go. */
export interface BatchLoad {
  readonly options: ReplaceOptions
  readonly schema: Schema
  /** Where the files are: an absolute folder, or a URL of S3. */
  readonly place: string
  /** The names of all files. */
  readonly names: readonly string[]
}

/**
 * The id of the tasks that carry out one load: that of a try is this and its number. Druid takes an id once, so
 * whoever submits the same load again, after a crash or as an attempt that is over, starts nothing.
 */
export function loadId(
  { jobUid, operatorId }: { jobUid: string; operatorId: string },
  { options, names }: Pick<BatchLoad, 'options' | 'names'>,
): string {
  const { datasource, fromMs, toMs, granularity, timestamp } = options
  const what = JSON.stringify([jobUid, operatorId, datasource, fromMs, toMs, granularity, timestamp, names])
  return `millrace-${createHash('sha256').update(what).digest('hex').slice(0, 32)}`
}

/** `from/to` as Druid writes intervals. */
export function intervalOf({ fromMs, toMs }: Pick<ReplaceOptions, 'fromMs' | 'toMs'>): string {
  return `${new Date(fromMs).toISOString()}/${new Date(toMs).toISOString()}`
}

/**
 * A task that replaces an interval. With a record that cannot be read it fails: by default Druid would leave the record
 * out, and empty the interval when none can be read.
 * Source: docs/ingestion/{native-batch,input-sources}.md of apache/druid 33.
 */
export function batchTask(id: string, load: BatchLoad): object {
  const { options, schema } = load
  const { datasource, timestamp, granularity } = options
  return {
    type: 'index_parallel',
    id,
    spec: {
      dataSchema: {
        dataSource: datasource,
        timestampSpec: { column: timestamp, format: 'millis' },
        dimensionsSpec: {
          dimensions: schema.fields.filter(({ name }) => name !== timestamp).map(dimensionOf),
        },
        ...(load.names.length === 0 ? NO_ROWS : {}),
        granularitySpec: {
          type: 'uniform',
          segmentGranularity: granularity.toUpperCase(),
          queryGranularity: 'NONE',
          rollup: false,
          intervals: [intervalOf(options)],
        },
      },
      ioConfig: {
        type: 'index_parallel',
        inputSource: inputSource(load),
        inputFormat: { type: 'json' },
        appendToExisting: false,
        dropExisting: true,
      },
      tuningConfig: {
        type: 'index_parallel',
        partitionsSpec: { type: 'dynamic' },
        maxParseExceptions: 0,
        logParseExceptions: true,
      },
    },
  }
}

/** Druid refuses an input without a row, but not that a filter leaves none: the interval is then empty. */
const NO_ROWS = { transformSpec: { filter: { type: 'false' } } }

function inputSource({ options, place, names }: BatchLoad): object {
  if (names.length === 0) return { type: 'inline', data: JSON.stringify({ [options.timestamp]: options.fromMs }) }
  if (schemeOf(place) === 'file' || isAbsolute(place))
    return { type: 'local', files: names.map((name) => join(place, name)) }
  const { bucket, prefix, endpoint, region, addressing } = s3LocationOf(place)
  return {
    type: 's3',
    objects: names.map((name) => ({ bucket, path: `${prefix}${name}` })),
    ...(endpoint === undefined
      ? {}
      : {
          endpointConfig: { url: endpoint.href, ...(region === undefined ? {} : { signingRegion: region }) },
          clientConfig: { enablePathStyleAccess: addressing === 'path' },
        }),
  }
}

/** As the JSON of the files has the values; what Druid has no type for stays the text that it is. */
function dimensionOf({ name, type, logical }: Field): object {
  if (logical?.kind === 'bigint') return { type: 'long', name }
  if (logical?.kind === 'time') return { type: 'string', name }
  if (logical?.kind === 'date' || logical?.kind === 'decimal' || logical?.kind === 'bytes')
    return { type: 'string', name }
  if (type === 'long' || type === 'timestamp') return { type: 'long', name }
  if (type === 'double') return { type: 'double', name }
  if (type === 'boolean' || type === 'json') return { type: 'auto', name }
  return { type: 'string', name }
}
