import { KubeError } from '../../../operator/kube/errors.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'

/** Whom the operator calls. */
export type Peer = 'API server' | 'coordinator' | 'Druid'

export interface Call {
  peer: Peer
  kind: 'read' | 'write'
  text: string
}

/** What a call may meet. */
export interface Mishap {
  name: string
  peer: Peer
  /** Whether a call can meet it at all. */
  strikes: (call: Call) => boolean
  /** Before the call is carried out, or when it is and its answer is on the way. */
  when: 'before' | 'after'
  /** What the operator gets instead of the answer; its death gets it nothing. */
  error: 'death' | ((call: string) => Error)
  /** The reasons of Events that report the mishap itself; they are no difference. */
  reports: readonly string[]
}

const answered = (status: number, reason: string) => (call: string) =>
  new KubeError(`${call}: ${reason} (${status})`, { status, reason })

const failed = (code: string) => (call: string) =>
  new MillraceError(code, `${call} got no answer`, { domain: 'dependency', retriable: true })

/** Behind a read nothing has changed: death or silence there is that before the next call. */
type Row = Omit<Mishap, 'peer' | 'strikes' | 'reports'> & { of: 'calls' | 'writes' }

const ROWS: Readonly<Record<Peer, readonly Row[]>> = {
  'API server': [
    { name: 'the operator dies before', of: 'calls', when: 'before', error: 'death' },
    { name: 'the operator dies after', of: 'writes', when: 'after', error: 'death' },
    { name: 'the answer is lost', of: 'writes', when: 'after', error: answered(0, 'Unreachable') },
    // A read never conflicts; a creation does where two change one quota.
    { name: '409', of: 'writes', when: 'before', error: answered(409, 'Conflict') },
    { name: '429', of: 'calls', when: 'before', error: answered(429, 'TooManyRequests') },
    { name: '500', of: 'calls', when: 'before', error: answered(500, 'InternalError') },
    { name: '504', of: 'calls', when: 'before', error: answered(504, 'Timeout') },
  ],
  coordinator: [
    { name: 'the operator dies before', of: 'calls', when: 'before', error: 'death' },
    // A coordinator that is asked counts it as a sign of life, so an answer to a read may be missed, too.
    { name: 'the operator dies after', of: 'calls', when: 'after', error: 'death' },
    { name: 'it cannot be reached', of: 'calls', when: 'before', error: failed('COORDINATOR_UNREACHABLE') },
    { name: 'the answer is lost', of: 'calls', when: 'after', error: failed('COORDINATOR_UNREACHABLE') },
  ],
  Druid: [
    { name: 'the operator dies before', of: 'calls', when: 'before', error: 'death' },
    { name: 'the operator dies after', of: 'writes', when: 'after', error: 'death' },
    { name: 'it cannot be reached', of: 'calls', when: 'before', error: failed('DRUID_UNREACHABLE') },
    { name: 'the answer is lost', of: 'writes', when: 'after', error: failed('DRUID_UNREACHABLE') },
    { name: '500', of: 'calls', when: 'before', error: failed('DRUID_FAILED') },
  ],
}

/** Whoever looks at a DruidDatasource is to see that its Druid does not answer, and that it does again. */
const REPORTS: Readonly<Record<Peer, readonly string[]>> = {
  'API server': [],
  coordinator: [],
  Druid: ['DruidUnreachable', 'DruidFailed', 'Reachable', 'DeletionWaits'],
}

/** All that calls to these peers may meet, peer by peer. */
export function mishapsOf(peers: readonly Peer[]): Mishap[] {
  return peers.flatMap((peer) =>
    ROWS[peer].map(({ of, ...row }) => ({
      ...row,
      peer,
      reports: row.error === 'death' ? [] : REPORTS[peer],
      strikes: (call: Call) => call.peer === peer && (of === 'calls' || call.kind === 'write'),
    })),
  )
}
