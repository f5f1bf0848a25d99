import { shown, type OptionType } from './option-types.ts'

/** Where a source of messages begins that has no checkpoint; the time in ms since the epoch. */
export type StartFrom = { kind: 'earliest' } | { kind: 'latest' } | { kind: 'timestamp'; time: number }

export const startFrom: OptionType<StartFrom> = {
  name: '`earliest`, `latest`, or a time (ISO 8601 or epoch milliseconds)',
  read: (value, report) => {
    if (value === 'earliest' || value === 'latest') return { kind: value }
    const time = typeof value === 'number' ? value : typeof value === 'string' ? Date.parse(value) : NaN
    if (Number.isSafeInteger(time) && time >= 0) return { kind: 'timestamp', time }
    report('', `must be earliest, latest, or a time (ISO 8601 or epoch milliseconds), found ${shown(value)}`)
    return undefined
  },
}
