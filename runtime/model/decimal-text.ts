/** The text of a decimal as rows carry it; undefined when it has more digits than the type, or is not a number. */
export function decimalText(text: string, precision: number, scale: number): string | undefined {
  const [, sign = '', whole = '', fraction = ''] = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === '' || /[1-9]/.test(fraction.slice(scale))) return undefined
  const digits = whole.replace(/^0+(?=\d)/, '')
  if (digits !== '0' && digits.length > precision - scale) return undefined
  const number = scale === 0 ? digits : `${digits}.${fraction.slice(0, scale).padEnd(scale, '0')}`
  return sign === '-' && /[1-9]/.test(number) ? `-${number}` : number
}
