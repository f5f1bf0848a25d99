import type { IncomingMessage } from 'node:http'
import { parse as parseYaml } from 'yaml'
import type { Json } from './objects.ts'
import { isObject } from './objects.ts'
import { readProtobufBody } from './protobuf-body.ts'
import { ApiStatusError, badRequest } from './status-error.ts'

const maxBodyBytes = 3 * 1024 * 1024
const maxDepth = 100

/**
 * Reads a body of JSON, or of YAML for apply. Throws 400 when it is neither, 413 above 3 MiB, 415 for most kinds in
 * protobuf.
 */
export async function readBody(request: IncomingMessage): Promise<Json> {
  const bytes = await readBytes(request)
  if (bytes.length === 0) return null
  if (mediaTypeOf(request).includes('protobuf')) return readProtobufBody(bytes)
  const text = bytes.toString('utf8')
  if (text.trim() === '') return null
  const value = parseText(text)
  checkShape(value, 0)
  return value
}

/** The content type without its parameters. */
export function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? ''
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > maxBodyBytes)
      throw new ApiStatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${maxBodyBytes}`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

function parseText(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (jsonError) {
    try {
      return parseYaml(text, { maxAliasCount: 0 }) as Json
    } catch (yamlError) {
      throw badRequest(
        `the object provided is unrecognized: couldn't parse it as JSON (${String(jsonError)}) or YAML (${String(yamlError)})`,
      )
    }
  }
}

/** `__proto__` as an own member could become a prototype when objects are merged; depth bounds our recursion. */
function checkShape(value: Json | undefined, depth: number): void {
  if (depth > maxDepth) throw badRequest(`the object provided is nested deeper than ${maxDepth} levels`)
  if (Array.isArray(value)) for (const item of value) checkShape(item, depth + 1)
  else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      if (name === '__proto__') throw badRequest('the member name __proto__ is not accepted')
      checkShape(member, depth + 1)
    }
  }
}
