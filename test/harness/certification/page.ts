import type { Verdict } from './certify.ts'
import { knownFor } from './known.ts'
import { mishapsOf } from './mishaps.ts'
import type { Peer } from './mishaps.ts'

const PEERS: readonly Peer[] = ['API server', 'cached API server', 'coordinator', 'Druid', 'watch']

const TITLES: Readonly<Record<Peer, string>> = {
  'API server': 'Calls to the API server',
  'cached API server': 'Calls to the API server by an operator that decides on what watches tell',
  coordinator: 'Calls to the coordinator',
  Druid: 'Calls to the Druid',
  watch: 'Changes that a watch tells',
}

const HEAD = `# Crash certification

\`npm run test:crash -- --write\` writes this page ([CONTRIBUTING.md](../../CONTRIBUTING.md)). Each story is played once without a mishap, then once for each call that the operator makes in it and each mishap that the call may meet. Every run ends with the same objects, status, attempts, savepoints, last target or supervisor, Events (type, reason, message) and counted operations as the one without. Left out are times, versions, and \`status.decisions\`, which is a log of what was seen. A leader that is frozen is replaced after the time of its lease, and its call is carried out when the other one is done. A clock that is set stays so to the end of the story. Without its controllers the operator reads a job and its pods in each pass. With them it decides on what watches tell where it may; in such a run its calls to the API server are struck again, and the watches: each change that they tell is a call there. No run takes a minute longer than the one without. An Event that reports the mishap itself, such as \`DruidUnreachable\`, is no difference; nor is one count that died with its process.

A number says how many calls were struck, one in each run. "n ≠" says how many of the runs ended differently; they are listed below, with an explanation where there is one (\`test/harness/certification/known.ts\`).
`

/** The page of a whole run. Pure. */
export function page(verdicts: readonly Verdict[]): string {
  const points = verdicts.reduce((sum, { tried }) => sum + tried, 0)
  const differing = verdicts.reduce((sum, { differences }) => sum + differences.length, 0)
  return [
    HEAD,
    `${points} runs, ${differing === 0 ? 'no difference' : `${differing} ended differently`}.`,
    ...PEERS.flatMap((peer) => ['', `## ${TITLES[peer]}`, '', ...tableOf(peer, verdicts)]),
    ...SECTIONS.flatMap(([title, kind]) => ['', `## ${title}`, '', ...listOf(kind, verdicts)]),
    '',
  ].join('\n')
}

type Kind = 'unexplained' | 'fault' | 'nature'

const SECTIONS: readonly [title: string, kind: Kind][] = [
  ['Differences without an explanation', 'unexplained'],
  ['Faults of the operator that are open', 'fault'],
  ['Differences that lie in the mishap', 'nature'],
]

function tableOf(peer: Peer, verdicts: readonly Verdict[]): string[] {
  const mishaps = mishapsOf([peer]).map(({ name }) => name)
  const own = verdicts.filter((verdict) => verdict.peer === peer)
  const stories = [...new Set(own.map(({ story }) => story))]
  return [
    `| Story | ${mishaps.join(' | ')} |`,
    `|---|${mishaps.map(() => '---:|').join('')}`,
    ...stories.map((story) => {
      const cells = mishaps.map((mishap) =>
        cellOf(own.find((verdict) => verdict.story === story && verdict.mishap === mishap)),
      )
      return `| ${story} | ${cells.join(' | ')} |`
    }),
  ]
}

function cellOf(verdict: Verdict | undefined): string {
  if (verdict === undefined) return 'not run'
  const { tried, differences } = verdict
  return differences.length === 0 ? String(tried) : `${tried}, ${differences.length} ≠`
}

/** Runs of one story that differ in the same are one line. */
function listOf(kind: Kind, verdicts: readonly Verdict[]): string[] {
  const places = new Map<string, string[]>()
  for (const verdict of verdicts)
    for (const difference of verdict.differences) {
      const known = knownFor(verdict, difference)
      if (kindOf(known) !== kind) continue
      const why = known?.map((one) => one.why).join('; ') ?? difference.what.join('; ')
      const text = `${verdict.story}: ${why}.`
      const { point, call } = difference
      places.set(text, [...(places.get(text) ?? []), `${verdict.peer}: ${verdict.mishap} ${point} (\`${call}\`)`])
    }
  return places.size === 0 ? ['None.'] : [...places].map(([text, at]) => `- ${text} At ${at.join(', ')}.`)
}

function kindOf(known: ReturnType<typeof knownFor>): Kind {
  if (known === undefined) return 'unexplained'
  return known.some(({ kind }) => kind === 'fault') ? 'fault' : 'nature'
}
