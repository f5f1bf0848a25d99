/** A larger exponent than this is refused: no value of 38 digits needs one, and its zeros would fill the memory. */
const MAX_EXPONENT = 500

/**
 * The text of a decimal as rows carry it: all digits of its scale, no leading zeros, no minus before zero. Undefined
 * when it has more digits than the type, or is not a number. The number may have an exponent, as in JSON.
 */
export function decimalText(text: string, precision: number, scale: number): string | undefined {
  const parts = numberParts(text)
  if (parts === undefined) return undefined
  const { sign, whole, fraction } = parts
  if (/[1-9]/.test(fraction.slice(scale))) return undefined
  const digits = whole.replace(/^0+(?=\d)/, '')
  if (digits !== '0' && digits.length > precision - scale) return undefined
  const number = scale === 0 ? digits : `${digits}.${fraction.slice(0, scale).padEnd(scale, '0')}`
  return sign === '-' && /[1-9]/.test(number) ? `-${number}` : number
}

/** The digits of a signed 64-bit integer as rows carry them; undefined when the text is none, or beyond. */
export function bigintText(text: string): string | undefined {
  const whole = decimalText(text, 19, 0)
  return whole !== undefined && is64Bit(BigInt(whole)) ? whole : undefined
}

export function is64Bit(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

/** A number as a text → its units, of as many digits behind the point as it has; undefined when it is none. */
export function decimalParts(text: string): { units: bigint; scale: number } | undefined {
  const parts = numberParts(text)
  return (
    parts && {
      units: BigInt(`${parts.sign === '-' ? '-' : ''}${parts.whole}${parts.fraction}`),
      scale: parts.fraction.length,
    }
  )
}

function numberParts(text: string): { sign: string; whole: string; fraction: string } | undefined {
  const [, sign = '', integral = '', decimals = '', exponent] =
    /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  if (integral === '') return undefined
  const shifted = exponent === undefined ? [integral, decimals] : shiftPoint(integral, decimals, Number(exponent))
  if (shifted === undefined) return undefined
  const [whole = '', fraction = ''] = shifted
  return { sign, whole, fraction }
}

/** The digits before and behind the point when it moves `exponent` digits to the right. */
function shiftPoint(integral: string, decimals: string, exponent: number): [string, string] | undefined {
  const digits = integral + decimals
  if (!/[1-9]/.test(digits)) return ['0', '']
  if (Math.abs(exponent) > MAX_EXPONENT) return undefined
  const point = integral.length + exponent
  if (point <= 0) return ['0', '0'.repeat(-point) + digits]
  return [digits.slice(0, point).padEnd(point, '0'), digits.slice(point)]
}

/** The number that a text of digits is, when it is whole and of at most 2^53 - 1; never rounded. */
export function longOfDigits(text: string): number | undefined {
  const whole = decimalText(text, 16, 0)
  const value = whole === undefined ? NaN : Number(whole)
  return Number.isSafeInteger(value) ? value : undefined
}
