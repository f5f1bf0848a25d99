import type { Clock } from '../clock.ts'
import type { Files, SecretFiles } from '../files.ts'
import { hdfsLocationOf } from '../hdfs-location.ts'
import type { Objects } from '../objects.ts'
import { objectsUnsupported } from '../objects-url.ts'
import type { Rng } from '../rng.ts'
import { schemeOf } from '../store.ts'
import { filesWithin, secretFiles } from '../reached-files.ts'
import type { Reach } from '../../model/reach.ts'
import { byteHttp, type SendBytes } from './byte-http.ts'
import { realClock } from './clock.ts'
import { realFiles } from './files.ts'
import { HdfsClient } from './hdfs-client.ts'
import { HdfsObjects } from './hdfs-objects.ts'
import { openFolderObjects } from './folder-objects.ts'
import { AddressGuard } from './guarded-lookup.ts'
import { realRng } from './rng.ts'
import { S3Client } from './s3-client.ts'
import { S3CredentialChain } from './s3-credentials.ts'
import { s3LocationOf } from '../s3-location.ts'
import { S3Objects } from './s3-objects.ts'

export interface ObjectsEnvironment {
  readonly clock: Clock
  readonly rng: Rng
  readonly files: Files
  readonly secretFiles: SecretFiles
  readonly send: SendBytes
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The real world as far as a job may reach it; without a bound all of it. */
export function objectsEnvironment(reach: Reach | undefined): ObjectsEnvironment {
  return {
    clock: realClock,
    rng: realRng,
    files: reach === undefined ? realFiles : filesWithin(realFiles, reach),
    secretFiles: secretFiles(realFiles, reach),
    send: byteHttp(reach === undefined ? undefined : new AddressGuard(reach.addresses)),
    env: process.env,
  }
}

/** Opens the storage at a URL; a plain path is a folder. Throws OBJECTS_UNSUPPORTED or OBJECTS_URL_INVALID. */
export function openObjects(url: string, environment: ObjectsEnvironment): Objects {
  const scheme = schemeOf(url)
  if (scheme === 'file') return openFolderObjects(url, environment.files.realPath)
  if (scheme === 's3') return openS3(url, environment)
  if (scheme === 'hdfs') return new HdfsObjects(new HdfsClient(hdfsLocationOf(url), environment), environment.rng)
  throw objectsUnsupported(scheme)
}

function openS3(url: string, { clock, rng, secretFiles, send, env }: ObjectsEnvironment): Objects {
  const location = s3LocationOf(url)
  const region = location.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1'
  const credentials = new S3CredentialChain(location.credentials, {
    env,
    secretFiles,
    send,
    region,
    now: () => clock.now(),
  })
  const environment = { clock, rng, send }
  return new S3Objects(new S3Client(location, region, credentials, environment), location.prefix, environment)
}
