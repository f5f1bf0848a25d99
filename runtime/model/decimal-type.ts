/** `decimal(precision, scale)`: so many digits in all, and so many of them behind the point. */
export interface DecimalType {
  readonly precision: number
  readonly scale: number
}

export const MAX_PRECISION = 38
/** Digits behind the point that are kept when a result would have more than 38 digits, and that a division has. */
const KEPT_SCALE = 6

/** Wide enough for every long. */
export const LONG_AS_DECIMAL: DecimalType = { precision: 16, scale: 0 }

/** Wide enough for every bigint. */
export const BIGINT_AS_DECIMAL: DecimalType = { precision: 19, scale: 0 }

/** The operators of decimals. */
export type DecimalOperator = '+' | '-' | '*' | '/' | '%'

/**
 * The type of `left operator right` by the rules of Flink and SQL Server, after which no result without a division is
 * rounded and none overflows while 38 digits are enough. Where they are not, digits behind the point go first, down to
 * six of them, and results are rounded half up, away from zero.
 */
export function decimalResult(operator: DecimalOperator, left: DecimalType, right: DecimalType): DecimalType {
  return narrowed(wholeResult(operator, left, right))
}

/** As decimalResult, with all digits: `precision` may be more than 38. */
export function wholeResult(operator: DecimalOperator, left: DecimalType, right: DecimalType): DecimalType {
  const scale = Math.max(left.scale, right.scale)
  const [leftWhole, rightWhole] = [left.precision - left.scale, right.precision - right.scale]
  switch (operator) {
    case '+':
    case '-':
      return { precision: Math.max(leftWhole, rightWhole) + scale + 1, scale }
    case '*':
      return { precision: left.precision + right.precision, scale: left.scale + right.scale }
    case '/': {
      const digits = Math.max(KEPT_SCALE, left.scale + right.precision + 1)
      return { precision: leftWhole + right.scale + digits, scale: digits }
    }
    case '%':
      return { precision: Math.max(1, Math.min(leftWhole, rightWhole)) + scale, scale }
  }
}

/** The sum of any number of such values. */
export function decimalSum({ scale }: DecimalType): DecimalType {
  return { precision: MAX_PRECISION, scale }
}

export function decimalAverage({ scale }: DecimalType): DecimalType {
  return { precision: MAX_PRECISION, scale: Math.max(scale, KEPT_SCALE) }
}

function narrowed({ precision, scale }: DecimalType): DecimalType {
  if (precision <= MAX_PRECISION) return { precision, scale }
  const whole = precision - scale
  return { precision: MAX_PRECISION, scale: Math.max(MAX_PRECISION - whole, Math.min(scale, KEPT_SCALE)) }
}
