import { hasDigits, rescaled, roundedQuotient, textOfUnits, unitsOf } from '../../model/decimal-units.ts'
import { MAX_PRECISION, type DecimalType } from '../../model/decimal-type.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Accumulator } from './accumulator.ts'

/** The exact sum of decimals of one scale, and how many they were. */
export class DecimalSum implements Accumulator {
  readonly #scale: number
  #units = 0n
  #count = 0

  constructor(scale: number) {
    this.#scale = scale
  }

  /**
   * The sum with one value more, for `set`. Throws VALUE_INVALID when it has more than 38 digits; nothing has changed
   * then.
   */
  with(text: string, field: string): bigint {
    const sum = this.#units + unitsOf(text, this.#scale)
    if (hasDigits(sum, MAX_PRECISION)) return sum
    throw new MillraceError(
      'VALUE_INVALID',
      `'${field}' would have more than ${MAX_PRECISION} digits (sum ${textOfUnits(this.#units, this.#scale)}, value ${text})`,
      { domain: 'user' },
    )
  }

  set(sum: bigint): void {
    this.#units = sum
    this.#count++
  }

  merge(other: DecimalSum): void {
    this.#units += other.#units
    this.#count += other.#count
  }

  /** Several sums together may have more digits than one may. */
  get isBeyond(): boolean {
    return !hasDigits(this.#units, MAX_PRECISION)
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  sum(): string {
    return textOfUnits(this.#units, this.#scale)
  }

  /** Rounded half up; of no values 0. */
  average({ scale }: Pick<DecimalType, 'scale'>): string {
    const units = rescaled(this.#units, this.#scale, scale)
    return textOfUnits(this.#count === 0 ? 0n : roundedQuotient(units, BigInt(this.#count)), scale)
  }

  write(): Uint8Array {
    return Buffer.from(`${this.#units} ${this.#count}`)
  }

  /** Takes what `write` gave. */
  fill(bytes: Uint8Array): this {
    const [units = '0', count = '0'] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      .toString('latin1')
      .split(' ')
    this.#units = BigInt(units)
    this.#count = Number(count)
    return this
  }
}
