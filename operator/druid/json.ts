import { isFields } from '../../runtime/model/fields.ts'

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** As `isFields`, for what was parsed from JSON. */
export function isJsonObject(value: unknown): value is { readonly [key: string]: Json } {
  return isFields(value)
}
