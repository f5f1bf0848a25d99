import type { FieldType } from '../model/schema.ts'

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

/** A type as it is written in a schema: `long`, or `long?` where it may be null. */
export type TypeText = FieldType | `${FieldType}?`

/** The fields of a stream and their types, in order. */
export type Shape = Readonly<Record<string, TypeText>>

export type BaseOf<T extends TypeText> = T extends `${infer Base extends FieldType}?` ? Base : T extends FieldType ? T : never
export type IsNullable<T extends TypeText> = T extends `${string}?` ? true : false
export type ValueOf<T extends TypeText> = IsNullable<T> extends true ? ValueOfType[BaseOf<T>] | null : ValueOfType[BaseOf<T>]
export type Nullable<T extends TypeText> = T extends FieldType ? `${T}?` : T

/** Shows a computed type as one object in messages. */
export type Flat<T> = { [Name in keyof T]: T[Name] } & {}

/** A row as functions get it. */
export type Row<S extends Shape> = Flat<{ readonly [Name in keyof S]: ValueOf<S[Name]> }>

type NullableNames<S extends Shape> = { [Name in keyof S]: IsNullable<S[Name]> extends true ? Name : never }[keyof S]

/** A row as functions may give it: what may be null may be left out. */
export type NewRow<S extends Shape> = Flat<
  { readonly [Name in Exclude<keyof S, NullableNames<S>>]: ValueOf<S[Name]> } & { readonly [Name in NullableNames<S>]?: ValueOf<S[Name]> | undefined }>

/** Fields of any of the types. */
export type FieldsOf<S extends Shape, Types extends FieldType> = { [Name in keyof S]: BaseOf<S[Name]> extends Types ? Name : never }[keyof S] & string

/** Fields by which rows can be grouped. */
export type KeyField<S extends Shape> = FieldsOf<S, Exclude<FieldType, 'json'>>

/** The fields of both; those of B win. */
export type Merged<A extends Shape, B extends Shape> = Flat<Omit<A, keyof B> & B>
export type AllNullable<S extends Shape> = Flat<{ [Name in keyof S]: Nullable<S[Name]> }>
