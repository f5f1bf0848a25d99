import { describe, type Problems } from '../../problems.ts'
import { parseDurationMs } from '../../../model/time.ts'

export function readDuration(value: unknown, path: string, problems: Problems): number | undefined {
  const ms = typeof value === 'string' ? parseDurationMs(value) : undefined
  if (ms === undefined)
    problems.report('DURATION_INVALID', path, `${describe(value)} is not a duration`, 'write 500ms, 10s, 1m, 2h or 7d')
  return ms
}

/** How long state is kept; undefined: for ever, which `forever` says too. */
export function readTtl(value: unknown, path: string, problems: Problems): number | 'wrong' | undefined {
  if (value === undefined || value === 'forever') return undefined
  const ms = readDuration(value, path, problems)
  if (ms === 0) problems.report('DURATION_INVALID', path, 'nothing would be kept at all', 'write 1h, or forever')
  return ms === undefined || ms === 0 ? 'wrong' : ms
}

export function warnUnbounded(path: string, what: string, problems: Problems): void {
  problems.warn(
    'STATE_UNBOUNDED',
    path,
    `without ttl ${what} are kept for ever: state grows with every new key`,
    'add ttl: 1h, or as long as rows of a key may be apart; write ttl: forever when it is meant so',
  )
}
