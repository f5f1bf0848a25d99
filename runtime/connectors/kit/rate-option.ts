import type { OptionType } from './option-types.ts'

/** The verb `source` reads the rate and takes it out of the options; here it is declared only. */
const written: OptionType<unknown> = {
  name: 'a factor as in `1000x`, or a number per second as in `5000/s`',
  read: (value) => value,
}

/** For sources whose readers keep a pace. */
export const rate = {
  type: written,
  doc: 'Replays event time so many times faster, or limits the records per second.',
} as const
