import { KubeError } from '../../../operator/kube/errors.ts'
import type { WatchEnd } from '../../../operator/kube/kube.ts'
import { MillraceError } from '../../../runtime/model/errors.ts'

/**
 * Whom the operator calls; a watch is what the API server tells it. A cached API server is one that an operator calls that
 * lives by its watches, and decides on what they tell.
 */
export type Peer = 'API server' | 'cached API server' | 'coordinator' | 'Druid' | 'watch'

export interface Call {
  peer: Peer
  kind: 'read' | 'write'
  text: string
}

export type Fate =
  /** Its process ends; another one takes its place. */
  | { kind: 'death' }
  /** It stands still until another one has taken its lease and done its work; then the call is carried out. */
  | { kind: 'freeze' }
  /** The call gets this in place of its answer. */
  | { kind: 'error'; error: (call: string) => Error }
  /** The clock of its machine is set by so much, and the call is carried out. */
  | { kind: 'clock'; aheadMs: number }
  /** A change that the API server tells. */
  | { kind: 'watch'; how: WatchFate }

/**
 * Told twice; told late, with all that follow it; not told because the watch ends, in one of the ways watches end; or
 * lost, with all that follow it, until the client has heard nothing for so long that it ends the watch.
 */
export type WatchFate = 'twice' | 'late' | WatchEnd['kind'] | 'lost'

/** What a call may meet. */
export interface Mishap {
  name: string
  peer: Peer
  /** Whether a call can meet it at all. */
  strikes: (call: Call) => boolean
  /** Before the call is carried out, or when it is and its answer is on the way. */
  when: 'before' | 'after'
  /** What becomes of the operator. */
  fate: Fate
  /** The reasons of Events that report the mishap itself; they are no difference. */
  reports: readonly string[]
}

const answered = (status: number, reason: string): Fate => ({
  kind: 'error',
  error: (call) => new KubeError(`${call}: ${reason} (${status})`, { status, reason }),
})

const failed = (code: string): Fate => ({
  kind: 'error',
  error: (call) => new MillraceError(code, `${call} got no answer`, { domain: 'dependency', retriable: true }),
})

const DEATH: Fate = { kind: 'death' }
const FREEZE: Fate = { kind: 'freeze' }
const clockSet = (minutes: number): Fate => ({ kind: 'clock', aheadMs: minutes * 60_000 })

const told = (how: WatchFate): Fate => ({ kind: 'watch', how })

/** Behind a read nothing has changed: death or silence there is that before the next call. */
type Row = Omit<Mishap, 'peer' | 'strikes' | 'reports'> & { of: 'calls' | 'writes' }

const ROWS: Readonly<Record<Peer, readonly Row[]>> = {
  'API server': [
    { name: 'the operator dies before', of: 'calls', when: 'before', fate: DEATH },
    { name: 'the operator dies after', of: 'writes', when: 'after', fate: DEATH },
    { name: 'the answer is lost', of: 'writes', when: 'after', fate: answered(0, 'Unreachable') },
    // A read never conflicts; a creation does where two change one quota.
    { name: '409', of: 'writes', when: 'before', fate: answered(409, 'Conflict') },
    { name: '429', of: 'calls', when: 'before', fate: answered(429, 'TooManyRequests') },
    { name: '500', of: 'calls', when: 'before', fate: answered(500, 'InternalError') },
    { name: '504', of: 'calls', when: 'before', fate: answered(504, 'Timeout') },
    { name: 'the leader is frozen', of: 'writes', when: 'before', fate: FREEZE },
    { name: 'clock 5 min ahead', of: 'calls', when: 'before', fate: clockSet(5) },
    { name: 'clock 5 min behind', of: 'calls', when: 'before', fate: clockSet(-5) },
  ],
  'cached API server': [
    { name: 'the operator dies before', of: 'calls', when: 'before', fate: DEATH },
    { name: 'the operator dies after', of: 'writes', when: 'after', fate: DEATH },
    { name: 'the answer is lost', of: 'writes', when: 'after', fate: answered(0, 'Unreachable') },
    { name: '409', of: 'writes', when: 'before', fate: answered(409, 'Conflict') },
    { name: '429', of: 'calls', when: 'before', fate: answered(429, 'TooManyRequests') },
    { name: '500', of: 'calls', when: 'before', fate: answered(500, 'InternalError') },
  ],
  coordinator: [
    { name: 'the operator dies before', of: 'calls', when: 'before', fate: DEATH },
    // A coordinator that is asked counts it as a sign of life, so an answer to a read may be missed, too.
    { name: 'the operator dies after', of: 'calls', when: 'after', fate: DEATH },
    { name: 'it cannot be reached', of: 'calls', when: 'before', fate: failed('COORDINATOR_UNREACHABLE') },
    { name: 'the answer is lost', of: 'calls', when: 'after', fate: failed('COORDINATOR_UNREACHABLE') },
    { name: 'the leader is frozen', of: 'writes', when: 'before', fate: FREEZE },
  ],
  Druid: [
    { name: 'the operator dies before', of: 'calls', when: 'before', fate: DEATH },
    { name: 'the operator dies after', of: 'writes', when: 'after', fate: DEATH },
    { name: 'it cannot be reached', of: 'calls', when: 'before', fate: failed('DRUID_UNREACHABLE') },
    { name: 'the answer is lost', of: 'writes', when: 'after', fate: failed('DRUID_UNREACHABLE') },
    { name: '500', of: 'calls', when: 'before', fate: failed('DRUID_FAILED') },
    { name: 'the leader is frozen', of: 'writes', when: 'before', fate: FREEZE },
  ],
  watch: [
    { name: 'told twice', of: 'calls', when: 'before', fate: told('twice') },
    { name: 'told late', of: 'calls', when: 'before', fate: told('late') },
    { name: 'it ends', of: 'calls', when: 'before', fate: told('closed') },
    { name: 'it ends with 410', of: 'calls', when: 'before', fate: told('gone') },
    { name: 'it breaks', of: 'calls', when: 'before', fate: told('failed') },
    { name: 'it falls silent', of: 'calls', when: 'before', fate: told('lost') },
  ],
}

/**
 * A user who looks at a DruidDatasource is to see that its Druid does not answer, and that it does again; and that a
 * late write was corrected.
 */
const REPORTS: Readonly<Record<Fate['kind'], (peer: Peer) => readonly string[]>> = {
  death: () => [],
  clock: () => [],
  watch: () => [],
  freeze: (peer) => (peer === 'Druid' ? ['LateWriteCorrected'] : []),
  error: (peer) => (peer === 'Druid' ? ['DruidUnreachable', 'DruidFailed', 'Reachable', 'DeletionWaits'] : []),
}

/** All that calls to these peers may meet, peer by peer. */
export function mishapsOf(peers: readonly Peer[]): Mishap[] {
  return peers.flatMap((peer) =>
    ROWS[peer].map(({ of, ...row }) => ({
      ...row,
      peer,
      reports: REPORTS[row.fate.kind](peer),
      strikes: (call: Call) => call.peer === peer && (of === 'calls' || call.kind === 'write'),
    })),
  )
}
