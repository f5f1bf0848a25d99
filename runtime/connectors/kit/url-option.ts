import { shown, type OptionType } from './option-types.ts'

/** An address of HTTP. A login in it would be shown wherever it is. */
export const httpUrl: OptionType<string> = {
  name: 'http or https address',
  read: (value, report) => {
    const read = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
    const isPlain = read !== undefined && read.username === '' && read.password === ''
    if (isPlain && (read.protocol === 'http:' || read.protocol === 'https:')) return String(value)
    report('', `must be an http or https address without login, found ${shown(value)}`)
    return undefined
  },
}
