/** What to do with files that nobody has signed: `accept` them, while the job still has some, or `refuse` them. */
export const UNSIGNED = ['accept', 'refuse'] as const
export type Unsigned = (typeof UNSIGNED)[number]
