import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { SecretFiles } from '../files.ts'
import type { ByteAnswer, ByteRequest, SendBytes } from './byte-http.ts'
import { isErrno } from './durable-file.ts'
import type { CredentialSource } from '../s3-location.ts'
import type { S3Credentials } from './s3-signature.ts'
import { textIn } from './s3-xml.ts'

/** Renewed so long before they expire. */
const AHEAD_MS = 5 * 60_000
const MAX_ANSWER_BYTES = 64 * 1024
const PATIENCE_MS = 5000

export interface CredentialEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly secretFiles: SecretFiles
  readonly send: SendBytes
  readonly now: () => number
  readonly region: string
}

/** Finds credentials when they are first needed, and again before they expire or after `forget`. */
export class S3CredentialChain {
  readonly #source: CredentialSource
  readonly #environment: CredentialEnvironment
  #found: Promise<S3Credentials> | undefined

  constructor(source: CredentialSource, environment: CredentialEnvironment) {
    this.#source = source
    this.#environment = environment
  }

  /** Rejects with OBJECTS_CREDENTIALS (domain user, retriable: a Secret may still be on its way). */
  async current(): Promise<S3Credentials> {
    const found = (this.#found ??= this.#find())
    try {
      const credentials = await found
      const { expiresMs } = credentials
      if (expiresMs === undefined || this.#environment.now() < expiresMs - AHEAD_MS) return credentials
    } catch (error) {
      this.#forgetIf(found)
      throw error
    }
    this.#forgetIf(found)
    return (this.#found ??= this.#find())
  }

  /** The server did not take them: they are found again. */
  forget(): void {
    this.#found = undefined
  }

  /** Somebody else may have begun to find new ones meanwhile. */
  #forgetIf(old: Promise<S3Credentials>): void {
    if (this.#found === old) this.#found = undefined
  }

  async #find(): Promise<S3Credentials> {
    try {
      const found = await credentialsFrom(this.#source, this.#environment)
      if (found !== undefined) return found
    } catch (cause) {
      throw noCredentials(this.#source, cause)
    }
    throw noCredentials(this.#source, undefined)
  }
}

function noCredentials(source: CredentialSource, cause: unknown): MillraceError {
  const from = typeof source === 'string' ? source : 'files'
  return new MillraceError('OBJECTS_CREDENTIALS', `no credentials for S3 were found (source: ${from})`, {
    domain: 'user',
    retriable: true,
    cause,
    hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, mount files and name them, or see docs/checkpoints.md',
  })
}

function credentialsFrom(source: CredentialSource, at: CredentialEnvironment): Promise<S3Credentials | undefined> {
  if (source === 'container') return fromContainer(at)
  if (source === 'instance') return fromInstance(at)
  if (source === 'chain') return fromChain(at)
  return fromFiles(source, at)
}

async function fromFiles(
  source: Exclude<CredentialSource, string>,
  { secretFiles }: CredentialEnvironment,
): Promise<S3Credentials> {
  const { accessKeyFile, secretKeyFile, sessionTokenFile } = source
  return {
    accessKey: (await secretFiles.read(accessKeyFile)).trim(),
    secretKey: (await secretFiles.read(secretKeyFile)).trim(),
    ...(sessionTokenFile === undefined ? {} : { sessionToken: (await secretFiles.read(sessionTokenFile)).trim() }),
  }
}

async function fromChain(at: CredentialEnvironment): Promise<S3Credentials | undefined> {
  const accessKey = at.env['AWS_ACCESS_KEY_ID']
  const secretKey = at.env['AWS_SECRET_ACCESS_KEY']
  if (accessKey !== undefined && secretKey !== undefined)
    return { accessKey, secretKey, sessionToken: at.env['AWS_SESSION_TOKEN'] }
  const tokenFile = at.env['AWS_WEB_IDENTITY_TOKEN_FILE']
  const role = at.env['AWS_ROLE_ARN']
  if (tokenFile !== undefined && role !== undefined) return fromWebIdentity(at, tokenFile, role)
  return fromSharedFile(at)
}

/** `[profile]` sections with `key = value`, as all of AWS's own programs read them. */
async function fromSharedFile({ env }: CredentialEnvironment): Promise<S3Credentials | undefined> {
  const path = env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(homedir(), '.aws', 'credentials')
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
  const wanted = `[${env['AWS_PROFILE'] ?? 'default'}]`
  const lines = text.split('\n').map((line) => line.trim())
  const start = lines.indexOf(wanted)
  if (start < 0) return undefined
  const end = lines.findIndex((line, index) => index > start && line.startsWith('['))
  const values = new Map<string, string>()
  for (const line of lines.slice(start + 1, end < 0 ? undefined : end)) {
    const equals = line.indexOf('=')
    if (equals > 0) values.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim())
  }
  const accessKey = values.get('aws_access_key_id')
  const secretKey = values.get('aws_secret_access_key')
  if (accessKey === undefined || secretKey === undefined) return undefined
  return { accessKey, secretKey, sessionToken: values.get('aws_session_token') }
}

/** STS AssumeRoleWithWebIdentity: the token of the pod's service account stands for a role. */
async function fromWebIdentity(at: CredentialEnvironment, tokenFile: string, role: string): Promise<S3Credentials> {
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: at.env['AWS_ROLE_SESSION_NAME'] ?? 'millrace',
    WebIdentityToken: (await readFile(tokenFile, 'utf8')).trim(),
  })
  const xml = await asked(at, {
    method: 'POST',
    url: at.env['AWS_ENDPOINT_URL_STS'] ?? `https://sts.${at.region}.amazonaws.com/`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  })
  return checked({
    AccessKeyId: textIn(xml, 'AccessKeyId'),
    SecretAccessKey: textIn(xml, 'SecretAccessKey'),
    Token: textIn(xml, 'SessionToken'),
    Expiration: textIn(xml, 'Expiration'),
  })
}

/** ECS and EKS Pod Identity give these to a container. */
async function fromContainer(at: CredentialEnvironment): Promise<S3Credentials> {
  const relative = at.env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']
  const url = relative === undefined ? at.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] : `http://169.254.170.2${relative}`
  if (url === undefined) throw new Error('AWS_CONTAINER_CREDENTIALS_FULL_URI is not set')
  const tokenFile = at.env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']
  const authorization =
    tokenFile === undefined ? at.env['AWS_CONTAINER_AUTHORIZATION_TOKEN'] : (await readFile(tokenFile, 'utf8')).trim()
  const headers = authorization === undefined ? {} : { authorization }
  return checked(JSON.parse(await asked(at, { method: 'GET', url, headers })))
}

/** Version 2 of the instance metadata service: a token first, then the role's name, then its credentials. */
async function fromInstance(at: CredentialEnvironment): Promise<S3Credentials> {
  const base = `${at.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? 'http://169.254.169.254'}/latest`
  const token = await asked(at, {
    method: 'PUT',
    url: `${base}/api/token`,
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '300' },
    body: new Uint8Array(),
  })
  const headers = { 'x-aws-ec2-metadata-token': token }
  const folder = `${base}/meta-data/iam/security-credentials/`
  const [role = ''] = (await asked(at, { method: 'GET', url: folder, headers })).trim().split('\n')
  return checked(JSON.parse(await asked(at, { method: 'GET', url: folder + encodeURIComponent(role), headers })))
}

async function asked(at: CredentialEnvironment, request: Omit<ByteRequest, 'maxBytes' | 'idleMs'>): Promise<string> {
  const answer: ByteAnswer = await at.send({ ...request, maxBytes: MAX_ANSWER_BYTES, idleMs: PATIENCE_MS })
  const text = Buffer.from(answer.body).toString('utf8')
  if (answer.status === 200) return text
  const reason = textIn(text, 'Message') ?? ''
  throw new Error(`${new URL(request.url).host} answered ${answer.status} ${reason.slice(0, 300)}`)
}

function checked(answer: unknown): S3Credentials {
  if (isFields(answer)) {
    const { AccessKeyId, SecretAccessKey, Token, Expiration } = answer
    const expiresMs = typeof Expiration === 'string' ? Date.parse(Expiration) : Number.NaN
    if (
      typeof AccessKeyId === 'string' &&
      typeof SecretAccessKey === 'string' &&
      typeof Token === 'string' &&
      !Number.isNaN(expiresMs)
    )
      return { accessKey: AccessKeyId, secretKey: SecretAccessKey, sessionToken: Token, expiresMs }
  }
  throw new Error('the answer lacks AccessKeyId, SecretAccessKey, Token or Expiration')
}
