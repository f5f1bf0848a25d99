import { MillraceError } from './errors.ts'
import type { Order } from './job.ts'

/** Whether what was decided with `order` comes too late where `seen` has been obeyed. Pure. */
export function isOlder(order: Order | undefined, seen: Order | undefined): boolean {
  if (order === undefined || seen === undefined) return false
  if (order.generation < seen.generation) return true
  return isSameLease(order, seen) && (order.lease?.transitions ?? 0) < (seen.lease?.transitions ?? 0)
}

/** What is to be remembered of both. */
export function newerOf(order: Order | undefined, seen: Order | undefined): Order | undefined {
  return order === undefined || isOlder(order, seen) ? seen : order
}

function isSameLease(a: Order, b: Order): boolean {
  return a.lease !== undefined && a.lease.id === b.lease?.id
}

export function outdated(what: string, order: Order, seen: Order): MillraceError {
  return new MillraceError(
    'ORDER_OUTDATED',
    `${what} was decided at ${text(order)}, and ${text(seen)} has been obeyed since`,
    {
      domain: 'platform',
      retriable: true,
      hint: 'Nothing is to be done when an operator has lost its lease. A cluster that was restored from a backup counts generations anew: edit the job until its generation is higher.',
    },
  )
}

function text({ generation, lease }: Order): string {
  return `generation ${generation}${lease === undefined ? '' : `, transition ${lease.transitions} of the lease`}`
}
