import type { Difference, Verdict } from './certify.ts'

interface Known {
  /** A fault waits to be mended; what lies in the nature of the mishap stays. */
  kind: 'fault' | 'nature'
  story: RegExp
  /** Absent: all. */
  mishap?: RegExp
  call: RegExp
  /** What differs, as `differencesBetween` says it. */
  what: RegExp
  why: string
}

/** An entry goes with the last difference that it explains: a run of all stories names those that explain none. */
export const KNOWN: readonly Known[] = [
  {
    kind: 'nature',
    story: /^update that makes Druid lose the supervisor$/,
    call: /./,
    what: /^versions: 3 instead of 2$/,
    why: 'nobody knows whether the specification came to Druid, so it is sent again, and is refused again',
  },
  {
    kind: 'nature',
    story: /^update that makes Druid lose the supervisor$/,
    call: /./,
    what: /^(status|events): .*was gone after the specification had been sent/s,
    why: "Druid's own words were lost with its answer",
  },
  {
    kind: 'nature',
    story: /supervisor/,
    mishap: /^the leader is frozen$/,
    call: /^applySupervisor/,
    what: /^\d restarts instead of \d$|^supervisor: restarts \d instead of \d$|^versions: \d instead of \d$/,
    why: 'Druid compares no versions: it takes a specification that comes late, and restarts its tasks since the mark of the sender is another',
  },
  {
    kind: 'nature',
    story: /./,
    call: /^sample/,
    what: /^events: lost \["Normal (Created|Updated|Adopted).*; not sampled before: /s,
    why: 'what the sampler cannot be asked is sent without it, and said',
  },
  {
    kind: 'nature',
    story: /./,
    mishap: /^it falls silent$/,
    call: /./,
    what: /^takes (8[89]|9\d) s longer$/,
    why: 'a change is met when the silence of the watch is: a client cannot tell it from peace for 90 s',
  },
  {
    kind: 'nature',
    story: /^rollback over two edits$/,
    mishap: /^the operator dies (before|after)$/,
    call: /./,
    what: /^objects: lost \[\], more \["StreamSavepoint counts-T-1-1"\]$|^status: attempt 3 instead of 4, checkpoint attempt 3 instead of 4, path "checkpoints\/3-7\/manifest\.json" instead of "checkpoints\/4-7\/manifest\.json"$|^events: lost \["Normal UpgradeCompleted: Attempt 4 runs\."\], more \["Normal UpgradeCompleted: Attempt 3 runs\.","Normal UpgradeStarted|^attempts: 3 instead of 4$|^savepoints: lost \[\], more \["jobuid1-g3-upgrade-T-1"\]$/,
    why: 'the second edit comes when seven pods are there, as they also are while the operator is away in the midst of making those of the first: the job goes to the second edit without an attempt of the first',
  },
  {
    kind: 'nature',
    story: /^delete during recover the coordinator$/,
    mishap: /^(told late|it ends.*|it breaks|it falls silent)$/,
    call: /streamjobs/,
    what: /^events: lost \["Warning StoppedWithoutSavepoint.*more \["Normal FinalSavepoint|^target: desiredState "suspended"/s,
    why: 'the deletion is met when the coordinator is there again, and so gets a savepoint',
  },
]

/** What explains a difference, each of its parts; undefined when something of it is not explained. */
export function knownFor(
  { story, mishap }: Pick<Verdict, 'story' | 'mishap'>,
  { call, what }: Omit<Difference, 'point'>,
): readonly Known[] | undefined {
  const found = what.map((one) =>
    KNOWN.find(
      (known) =>
        known.story.test(story) &&
        (known.mishap?.test(mishap) ?? true) &&
        known.call.test(call) &&
        known.what.test(one),
    ),
  )
  return found.every((one) => one !== undefined) ? [...new Set(found)] : undefined
}
