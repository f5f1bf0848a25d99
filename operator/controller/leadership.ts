import { MillraceError } from '../../runtime/model/errors.ts'
import type { Order } from '../../runtime/control/job-report.ts'
import type { KubeObject } from '../kube/objects.ts'
import { wrapped } from './wrapped.ts'

/** Whether this process may act, by its own clock: as long as no other one can have taken the lease. */
export interface Leadership {
  /** Asked at the last moment before each write to the outside: the process may have been frozen since its last line. */
  isHeld(): boolean
  /** Which turn this is; undefined where no lease is held. */
  turn(): Order['lease']
}

/** No second operator may run. */
export const UNCONTESTED: Leadership = { isHeld: () => true, turn: () => undefined }

/** What goes with everything that a coordinator is asked for. */
export function orderOf({ metadata }: KubeObject, leadership: Leadership): Order {
  const lease = leadership.turn()
  return { generation: metadata.generation ?? 0, ...(lease === undefined ? {} : { lease }) }
}

/** The port, whose `writes` reject with LEADERSHIP_LOST when this process leads no more. */
export function whileLeading<T extends object>(port: T, writes: readonly (keyof T)[], leadership: Leadership): T {
  return wrapped(port, (name, call) => {
    const isWrite = (writes as readonly PropertyKey[]).includes(name)
    return isWrite && !leadership.isHeld() ? Promise.reject(leadershipLost(String(name))) : call()
  })
}

export function leadershipLost(what: string): MillraceError {
  return new MillraceError('LEADERSHIP_LOST', `${what} is not carried out: the lease was not renewed in time`, {
    domain: 'platform',
    retriable: true,
  })
}
