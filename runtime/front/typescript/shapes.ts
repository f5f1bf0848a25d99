import type { FieldType } from '../../model/schema.ts'

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** What the types of fields are in JavaScript; a new type of field needs its line here. */
interface ValueOfType extends Record<FieldType, unknown> {
  long: number
  double: number
  boolean: boolean
  string: string
  /** Milliseconds since the epoch. */
  timestamp: number
  json: Json
}

/**
 * The other types are meanings of these (model/schema.ts): a date is a number of days, a time of milliseconds; bytes,
 * bigints and decimals are texts.
 */
type PresentType =
  | FieldType
  | 'date'
  | 'time'
  | 'bigint'
  | 'bytes'
  | `decimal(${string})`
  | `array<${string}>`
  | `map<${string}>`
  | `row{${string}}`

/** A type as it is written in a schema: `long`, or `long?` where it may be null. */
export type TypeText = PresentType | `${PresentType}?`

/** The fields of a stream and their types, in order. */
export type Shape = Readonly<Record<string, TypeText>>

type Present<T extends string> = T extends `${infer Base}?` ? Base : T
/** The plain type of a type. */
export type BaseOf<T extends string> =
  Present<T> extends infer Base
    ? Base extends FieldType
      ? Base
      : Base extends 'date' | 'time'
        ? 'long'
        : Base extends 'bigint' | 'bytes' | `decimal(${string})`
          ? 'string'
          : 'json'
    : never
export type IsNullable<T extends string> = T extends `${string}?` ? true : false
type PresentValue<Base> = Base extends FieldType
  ? ValueOfType[Base]
  : Base extends `array<${infer Item}>`
    ? readonly ValueOf<Item>[]
    : Base extends 'date' | 'time'
      ? number
      : Base extends `map<${infer Value}>`
        ? { readonly [key: string]: ValueOf<Value> }
        : Base extends `row{${string}}`
          ? { readonly [key: string]: Json }
          : string
export type ValueOf<T extends string> = PresentValue<Present<T>> | (IsNullable<T> extends true ? null : never)
export type Nullable<T extends TypeText> = T extends PresentType ? `${T}?` : T

/** Shows a computed type as one object in messages. */
export type Flat<T> = { [Name in keyof T]: T[Name] } & {}

/** A row as functions get it. */
export type Row<S extends Shape> = Flat<{ readonly [Name in keyof S]: ValueOf<S[Name]> }>

type NullableNames<S extends Shape> = { [Name in keyof S]: IsNullable<S[Name]> extends true ? Name : never }[keyof S]

/** A row as functions may give it: what may be null may be left out. */
export type NewRow<S extends Shape> = Flat<
  { readonly [Name in Exclude<keyof S, NullableNames<S>>]: ValueOf<S[Name]> } & {
    readonly [Name in NullableNames<S>]?: ValueOf<S[Name]> | undefined
  }
>

/** Fields of any of the types. */
export type FieldsOf<S extends Shape, Types extends FieldType> = {
  [Name in keyof S]: BaseOf<S[Name]> extends Types ? Name : never
}[keyof S] &
  string

/** Fields by which rows can be grouped. */
export type KeyField<S extends Shape> = FieldsOf<S, Exclude<FieldType, 'json'>>

/** The fields of both; those of B win. */
export type Merged<A extends Shape, B extends Shape> = Flat<Omit<A, keyof B> & B>
export type AllNullable<S extends Shape> = Flat<{ [Name in keyof S]: Nullable<S[Name]> }>
