import { bigintText, decimalText, longOfDigits } from './decimal-text.ts'
import { memberOf } from './fields.ts'
import { JsonNumber, jsonNumber, withoutDigits } from './json-digits.ts'
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
    case 'time':
      return (value) => (typeof value === 'string' ? timeOfDay(value) : withinDay(exactInteger(value)))
    case 'bigint':
      return (value) => {
        const digits = digitsOf(value)
        return digits === undefined ? undefined : bigintText(digits)
      }
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
    case 'map': {
      const read = nullableReader(logical.values)
      return (value) => {
        if (!isObject(value)) return undefined
        const entries = Object.entries(value).map(([key, member]) => [key, read(member)] as const)
        return entries.some(([, member]) => member === undefined) ? undefined : Object.fromEntries(entries)
      }
    }
    case 'row': {
      const members = logical.fields.map((field) => [field.name, nullableReader(field)] as const)
      return (value) => {
        if (!isObject(value)) return undefined
        const row: Record<string, unknown> = {}
        for (const [name, read] of members) {
          const member = read(memberOf(value, name))
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

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber)
}

function digitsOf(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return String(value)
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
    case 'time':
      return (value) => timeText(Number(value))
    case 'bigint':
      return (value) => jsonNumber(String(value))
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
    case 'map': {
      const print = valuePrinter(logical.values, timestampFormat)
      if (print === undefined) return undefined
      return (value) =>
        Object.fromEntries(
          Object.entries(value as Readonly<Record<string, unknown>>).map(([key, member]) => [
            key,
            member === null ? null : print(member),
          ]),
        )
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

/** `23:59:59.999`, with or without seconds and their digits → milliseconds since midnight. */
export function timeOfDay(text: string): number | undefined {
  const [, hours = '', minutes = '', seconds = '0', fraction = ''] =
    /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?$/.exec(text) ?? []
  if (hours === '' || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined
  // what is finer than a millisecond is cut, as of timestamps
  return (
    ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(fraction.padEnd(3, '0').slice(0, 3))
  )
}

function withinDay(ms: number | undefined): number | undefined {
  return ms !== undefined && ms >= 0 && ms < DAY_MS ? ms : undefined
}

/** The inverse of timeOfDay; what is computed and no time of day stays a number. */
function timeText(ms: number): string | number {
  return withinDay(ms) === undefined ? ms : new Date(ms).toISOString().slice(11, 23)
}

/** Bytes as rows carry them. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function bytesOfBase64(text: string): string | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  return Buffer.from(text, 'base64').toString('latin1')
}
