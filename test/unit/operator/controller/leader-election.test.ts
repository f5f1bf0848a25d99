import { describe, expect, test } from 'vitest'
import { LeaderElection } from '../../../../operator/controller/leader-election.ts'
import { KubeError } from '../../../../operator/kube/errors.ts'
import { FakeKube } from '../../../harness/fake-kube.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'

function candidates(): {
  kube: FakeKube
  clock: ManualClock
  /** `aheadMs` of the clock of its machine, which may be set while it runs. */
  candidate: (identity: string, machine?: { aheadMs: number }) => { election: LeaderElection; says: string[] }
} {
  const clock = new ManualClock()
  const kube = new FakeKube(() => clock.now())
  return {
    kube,
    clock,
    candidate: (identity, machine = { aheadMs: 0 }) => {
      const says: string[] = []
      const election = new LeaderElection({
        kube,
        clock: {
          now: () => clock.now() + machine.aheadMs,
          after: (ms, run) => clock.after(ms, run),
          nextTurn: (run) => {
            clock.nextTurn(run)
          },
        },
        logger: silentLogger,
        lease: { namespace: 'ops', name: 'millrace' },
        identity,
        onLead: () => {
          says.push('leads')
        },
        onLost: () => {
          says.push('lost')
        },
      })
      election.start()
      return { election, says }
    },
  }
}

describe('leader election', () => {
  test('lets one lead, and the other wait as long as the first renews', async () => {
    const { clock, candidate } = candidates()
    const [a, b] = [candidate('a'), candidate('b')]
    await clock.advance(60_000)
    expect([a.says, b.says]).toEqual([['leads'], []])
  })

  test('makes a leader that cannot renew stop before another may begin', async () => {
    const { kube, clock, candidate } = candidates()
    const [a, b] = [candidate('a'), candidate('b')]
    await clock.advance(5_000)
    const events: string[] = []
    // a is cut off: its patches fail, b still reads
    kube.before = (call) => {
      if (call.startsWith('patch') && a.says.length < 2)
        throw new KubeError('cut off', { status: 0, reason: 'Unreachable' })
    }
    for (let second = 0; second < 40; second += 1) {
      await clock.advance(1_000)
      if (a.says.includes('lost') && !events.includes('a lost')) events.push('a lost')
      if (b.says.includes('leads') && !events.includes('b leads')) events.push('b leads')
    }
    expect(events).toEqual(['a lost', 'b leads'])
  })

  test('lets a standby whose clock is set ahead wait as long as the leader renews', async () => {
    const { clock, candidate } = candidates()
    const machine = { aheadMs: 0 }
    const [a, b] = [candidate('a'), candidate('b', machine)]
    await clock.advance(5_000)
    machine.aheadMs = 300_000
    await clock.advance(60_000)
    expect([a.says, b.says]).toEqual([['leads'], []])
  })

  test('holds nothing for a leader whose clock is set back, until it has renewed its lease', async () => {
    const { kube, clock, candidate } = candidates()
    const machine = { aheadMs: 0 }
    const { election, says } = candidate('a', machine)
    await clock.advance(5_000)
    let isCutOff = true
    kube.before = (call) => {
      if (isCutOff && call.startsWith('patch')) throw new KubeError('cut off', { status: 0, reason: 'Unreachable' })
    }
    expect(election.isHeld()).toBe(true)
    machine.aheadMs = -300_000
    expect(election.isHeld()).toBe(false)
    isCutOff = false
    await clock.advance(3_000)
    expect([election.isHeld(), says]).toEqual([true, ['leads']])
  })

  test('hands over within seconds when the leader stops in good order', async () => {
    const { clock, candidate } = candidates()
    const [a, b] = [candidate('a'), candidate('b')]
    await clock.advance(5_000)
    await a.election.stop()
    await clock.advance(4_000)
    expect(b.says).toEqual(['leads'])
  })
})
