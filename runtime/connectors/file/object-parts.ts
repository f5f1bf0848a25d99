import { basename } from 'node:path/posix'
import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { Committable, Json } from '../../model/snapshot.ts'
import type { Objects, PreparedUpload } from '../../ports/objects.ts'
import type { StorageRetry } from '../kit/storage-retry.ts'
import type { SinkContext } from '../sink.ts'
import { committableInvalid, outputLost } from './part-errors.ts'
import type { PartNames } from './part-names.ts'
import type { OutputPart, PartPlace } from './part-place.ts'

/** Storage that stays away longer restarts the job, which then waits and reports. */
const PATIENCE_MS = 60_000

/** A checkpoint keeps this of a part in a storage for objects. */
interface ObjectPart {
  /** The URL of the storage, as the job wrote it then. */
  readonly place: string
  readonly upload: PreparedUpload
}

export interface ObjectPartsOptions {
  readonly context: Pick<SinkContext, 'ports' | 'operatorId' | 'slot'>
  readonly names: PartNames
  readonly place: string
  readonly retry: Pick<StorageRetry, 'run'>
}

/** Parts as uploads, which are completed when the checkpoint is complete. */
export class ObjectParts implements PartPlace {
  /** A part of a multipart upload to S3, or a piece of a file of HDFS. */
  readonly heldBytes = 16 * 1024 * 1024
  readonly #options: ObjectPartsOptions
  readonly #objects: Objects

  constructor(options: ObjectPartsOptions) {
    this.#options = options
    this.#objects = options.context.ports.openObjects(options.place)
  }

  async begin(path: string): Promise<OutputPart | 'taken'> {
    if ((await this.#retry('looking at', path, () => this.#objects.head(path))) !== undefined) return 'taken'
    const upload = await this.#retry('beginning', path, () => this.#objects.begin(path))
    return {
      write: (bytes) => upload.write(bytes),
      prepare: async () => {
        const prepared = await this.#retry('preparing', path, () => upload.prepare())
        return { place: this.#options.place, upload: jsonOf(prepared) }
      },
      discard: () => upload.discard(),
    }
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    for (const committable of committables) {
      const { upload } = this.#ownPart(committable)
      await this.#retry('committing', upload.path, () => this.#complete(upload))
    }
  }

  async discard(committable: Committable): Promise<void> {
    await this.#objects.discard(this.#ownPart(committable).upload)
  }

  /** One slot does it for all: each look is a request. */
  async sweep(): Promise<void> {
    const { context, names, place } = this.#options
    if (context.slot !== 0) return
    for await (const upload of this.#objects.unfinished('')) {
      if (!names.isOlder(basename(upload.path))) continue
      context.ports.logger.info('discarding output that no checkpoint holds', {
        operator: context.operatorId,
        path: upload.path,
        place: withoutOptions(place),
      })
      await this.#objects.discard(upload)
    }
  }

  async #complete(upload: PreparedUpload): Promise<void> {
    try {
      await this.#objects.complete(upload)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'OBJECT_LOST') throw error
      throw outputLost(`${upload.path} of ${withoutOptions(this.#options.place)} is gone`, error)
    }
  }

  /** As for local parts: a manifest may come from anyone. Below the root of the storage only, which Objects checks. */
  #ownPart(committable: Committable): ObjectPart {
    const { names, context, place } = this.#options
    const part = objectPartOf(committable)
    if (part === undefined) throw committableInvalid(context.operatorId, JSON.stringify(committable))
    const isHere = withoutOptions(part.place) === withoutOptions(place)
    if (isHere && names.isOfOperator(basename(part.upload.path))) return part
    throw committableInvalid(
      context.operatorId,
      `to complete ${JSON.stringify(part.upload.path)} in ${withoutOptions(part.place)}`,
    )
  }

  #retry<T>(doing: string, path: string, call: () => Promise<T>): Promise<T> {
    return this.#options.retry.run(`${doing} ${path} of`, PATIENCE_MS, call)
  }
}

/** Undefined for what is no committable of a storage for objects. */
export function objectPartOf(committable: Committable): ObjectPart | undefined {
  if (!isFields(committable) || !isFields(committable['upload'])) return undefined
  const { place } = committable
  const { path, sizeBytes, token } = committable['upload']
  if (typeof place !== 'string' || typeof path !== 'string' || typeof token !== 'string') return undefined
  if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes)) return undefined
  return { place, upload: { path, sizeBytes, token } }
}

/** Bucket and folder: an endpoint may move, and the names of files of Secrets may change. */
export function withoutOptions(place: string): string {
  return place.replace(/[?#].*$/s, '').replace(/\/+$/, '')
}

function jsonOf({ path, sizeBytes, token }: PreparedUpload): Json {
  return { path, sizeBytes, token }
}
