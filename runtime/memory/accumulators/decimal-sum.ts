import { is64Bit } from '../../model/decimal-text.ts'
import { hasDigits, rescaled, roundedQuotient, textOfUnits, unitsOf } from '../../model/decimal-units.ts'
import { MAX_PRECISION, type DecimalType } from '../../model/decimal-type.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Accumulator } from './accumulator.ts'

/** The exact sum of decimals of one scale, or of bigints, and how many they were. */
export class DecimalSum implements Accumulator {
  readonly #scale: number
  readonly #kind: 'decimal' | 'bigint'
  #units = 0n
  #count = 0

  /** `kind` says how large the sum may be: 38 digits, or 64 bits. */
  constructor(scale: number, kind: 'decimal' | 'bigint') {
    this.#scale = scale
    this.#kind = kind
  }

  /**
   * The sum with one value more, for `set`. Throws VALUE_INVALID when it is too large; nothing has changed then.
   */
  with(text: string, field: string): bigint {
    const sum = this.#units + unitsOf(text, this.#scale)
    if (this.#fits(sum)) return sum
    throw new MillraceError(
      'VALUE_INVALID',
      `'${field}' would have more than ${this.#kind === 'bigint' ? '64 bits' : `${MAX_PRECISION} digits`} (sum ${textOfUnits(this.#units, this.#scale)}, value ${text})`,
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

  /** Several sums together may be larger than one may be. */
  get isBeyond(): boolean {
    return !this.#fits(this.#units)
  }

  #fits(sum: bigint): boolean {
    return this.#kind === 'bigint' ? is64Bit(sum) : hasDigits(sum, MAX_PRECISION)
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
