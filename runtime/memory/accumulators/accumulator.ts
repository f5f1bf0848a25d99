/**
 * The state of an aggregate that does not fit one number: an object per entry of a table. `add` must not throw, so
 * that a row is added to all of its aggregates or to none.
 */
export interface Accumulator {
  /** The bytes from which `read` of its class makes an equal one. */
  write(): Uint8Array
}
