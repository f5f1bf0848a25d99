import { shown, type OptionType } from '../../kit/option-types.ts'

/** The years that both Druid's and JavaScript's ISO times write with four digits. */
export const FIRST_MS = Date.parse('0001-01-01T00:00:00Z')
export const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/** Read as milliseconds. */
export const time: OptionType<number> = {
  name: 'time (ISO 8601)',
  read: (value, report) => {
    const ms = typeof value === 'string' ? Date.parse(value) : NaN
    if (ms >= FIRST_MS && ms <= LAST_MS) return ms
    report('', `must be a time of the years 1 to 9999 (ISO 8601), found ${shown(value)}`)
    return undefined
  },
}
