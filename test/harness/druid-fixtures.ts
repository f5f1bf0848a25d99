import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject } from '../../operator/druid/druid-client.ts'

/** An answer that a real Druid 33.0.0 gave to a real request. */
export interface RecordedAnswer {
  request: { method: string; path: string; body?: unknown }
  response: { status: number; headers: Record<string, string>; json?: unknown; text?: string }
}

export function recorded(name: string): RecordedAnswer {
  return JSON.parse(
    readFileSync(join(import.meta.dirname, '..', 'fixtures', 'druid', `${name}.json`), 'utf8'),
  ) as RecordedAnswer
}

export function recordedJson(name: string): JsonObject {
  return recorded(name).response.json as JsonObject
}
