import { describe, expect, test } from 'vitest'
import { LeaderElection } from '../../../../operator/controller/leader-election.ts'
import { KubeError } from '../../../../operator/kube/errors.ts'
import { FakeKube } from '../../../harness/fake-kube.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'

function candidates(): {
  kube: FakeKube
  clock: ManualClock
  candidate: (identity: string) => { election: LeaderElection; says: string[] }
} {
  const clock = new ManualClock()
  const kube = new FakeKube(() => clock.now())
  return {
    kube,
    clock,
    candidate: (identity) => {
      const says: string[] = []
      const election = new LeaderElection({
        kube,
        clock,
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

  test('hands over within seconds when the leader stops in good order', async () => {
    const { clock, candidate } = candidates()
    const [a, b] = [candidate('a'), candidate('b')]
    await clock.advance(5_000)
    await a.election.stop()
    await clock.advance(4_000)
    expect(b.says).toEqual(['leads'])
  })
})
