import { decimalText, longOfDigits } from './decimal-text.ts'
import { JsonNumber, withoutDigits } from './json-digits.ts'
import type { ValueType } from './schema.ts'
import { isoDate, parseIsoTimestamp } from './timestamp-text.ts'

const DAY_MS = 86_400_000

/** What a JsonParser gave, never null → the value as rows carry it; undefined when it does not fit. */
export type ValueReader = (value: unknown) => unknown

export function valueReader(type: ValueType): ValueReader {
  const { logical } = type
  switch (logical?.kind) {
    case undefined:
      return plainReader(type)
    case 'date':
      return (value) => (typeof value === 'string' ? daysOf(value) : exactInteger(value))
    case 'bytes':
      return (value) =>
        value instanceof Uint8Array ? latin1(value) : typeof value === 'string' ? bytesOfBase64(value) : undefined
    case 'decimal':
      return (value) => {
        const digits = digitsOf(value)
        return digits === undefined ? undefined : decimalText(digits, logical.precision, logical.scale)
      }
    case 'array': {
      const item = nullableReader(logical.items)
      return (value) => {
        if (!Array.isArray(value)) return undefined
        const items = value.map(item)
        return items.includes(undefined) ? undefined : items
      }
    }
    case 'row': {
      const members = logical.fields.map((field) => [field.name, nullableReader(field)] as const)
      return (value) => {
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
        const row: Record<string, unknown> = {}
        for (const [name, read] of members) {
          const member = read((value as Readonly<Record<string, unknown>>)[name])
          if (member === undefined) return undefined
          row[name] = member
        }
        return row
      }
    }
  }
}

/** As valueReader, for values that may be null or missing where the type lets them. */
function nullableReader(type: ValueType): ValueReader {
  const read = valueReader(type)
  return (value) => (value === undefined || value === null ? (type.nullable ? null : undefined) : read(value))
}

function plainReader({ type }: ValueType): ValueReader {
  switch (type) {
    case 'long':
      return exactInteger
    case 'double':
      return (value) => finiteNumber(value instanceof JsonNumber ? Number(value.digits) : value)
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? value : undefined)
    case 'string':
      return (value) => (typeof value === 'string' ? value : undefined)
    case 'timestamp':
      return (value) => (typeof value === 'string' ? parseIsoTimestamp(value) : exactInteger(value))
    case 'json':
      return withoutDigits
  }
}

function digitsOf(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  return value instanceof JsonNumber ? value.digits : undefined
}

/** A value as rows carry it, never null → what JSON shall say. */
export type ValuePrinter = (value: unknown) => unknown

/** Undefined where JSON says the value itself. */
export function valuePrinter(type: ValueType, timestampFormat: 'iso' | 'epochMillis'): ValuePrinter | undefined {
  const { logical } = type
  switch (logical?.kind) {
    case undefined:
      return type.type === 'timestamp' && timestampFormat === 'iso' ? (value) => isoText(Number(value)) : undefined
    case 'date':
      return (value) => isoDate(Number(value) * DAY_MS) ?? value
    case 'bytes':
      return (value) => Buffer.from(String(value), 'latin1').toString('base64')
    case 'decimal':
      return undefined
    case 'array': {
      const print = valuePrinter(logical.items, timestampFormat)
      return print === undefined
        ? undefined
        : (value) => (value as unknown[]).map((item) => (item === null ? null : print(item)))
    }
    case 'row': {
      const members = logical.fields.map((field) => [field.name, valuePrinter(field, timestampFormat)] as const)
      if (members.every(([, print]) => print === undefined)) return undefined
      return (value) =>
        Object.fromEntries(
          members.map(([name, print]) => {
            const member = (value as Readonly<Record<string, unknown>>)[name]
            return [name, member === null || print === undefined ? member : print(member)]
          }),
        )
    }
  }
}

function isoText(time: number): string | number {
  return isoDate(time) === undefined ? time : new Date(time).toISOString()
}

function finiteNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value + 0 : undefined
}

function exactInteger(value: unknown): number | undefined {
  if (value instanceof JsonNumber) return longOfDigits(value.digits)
  return typeof value === 'number' && Number.isSafeInteger(value) ? value + 0 : undefined
}

/** `2001-02-03` → days since the epoch. */
export function daysOf(text: string): number | undefined {
  const time = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\d$/.test(text) ? parseIsoTimestamp(text) : undefined
  return time === undefined ? undefined : time / DAY_MS
}

/** Bytes as rows carry them. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function bytesOfBase64(text: string): string | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  return Buffer.from(text, 'base64').toString('latin1')
}
