import { MillraceError } from '../model/errors.ts'

export function stateUnreadable(why: string): MillraceError {
  return new MillraceError('STATE_UNREADABLE', `this state cannot be shown as rows: ${why}`, {
    domain: 'user',
    hint: 'millrace savepoint inspect says how large it is and whether its files are whole',
  })
}
