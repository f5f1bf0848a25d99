import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { DRUID_STORIES } from '../../harness/certification/druid-stories.ts'
import { JOB_STORIES } from '../../harness/certification/job-stories.ts'
import type { Peer } from '../../harness/certification/mishaps.ts'
import { play, type Scene, type Story } from '../../harness/certification/story.ts'
import { Strike } from '../../harness/certification/strike.ts'
import { ROOT } from '../../harness/source-files.ts'

interface Rule {
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

/** What no story asks for, and why the operator has the right all the same. */
const BESIDE_STORIES: Readonly<Record<string, string>> = {
  'update streamjobs/finalizers': 'asked by admission, of whoever sets blockOwnerDeletion',
  'get leases': 'of other operators; the lock of leaders is a part of no story',
  'get configmaps': 'specs that earlier operators kept',
  'delete configmaps': 'the same, once they are kept as revisions',
  'get controllerrevisions': 'one whose name is taken already',
  'patch controllerrevisions': 'one that becomes the newest again',
  'delete controllerrevisions': 'those beyond the limit of the history',
  'patch events': 'an event that happens again is counted',
  'delete streamsavepoints': 'periodic ones beyond their retention',
  'get services': 'of sources that senders connect to; one of that name may be of somebody else',
  'create services': 'of sources that senders connect to',
  'patch services': 'the same, after an edit of their ports',
  'delete services': 'the same, after the source is gone',
  'get networkpolicies': 'networkPolicy.jobs of the chart, which no story turns on',
  'list networkpolicies': 'the same',
  'watch networkpolicies': 'the same',
  'create networkpolicies': 'the same',
  'patch networkpolicies': 'the same',
  'delete networkpolicies': 'the same',
}

/** Server-side apply makes what is not there, which needs both. */
const VERBS: ReadonlyMap<string, readonly string[]> = new Map([
  ['dryRunCreate', ['create']],
  ['apply', ['create', 'patch']],
])

/** Notes which rights the calls of the API server need. */
class Rights extends Strike {
  readonly used: Set<string>

  constructor(used: Set<string>, drive: 'passes' | 'watches') {
    super(undefined, 0, drive)
    this.used = used
  }

  override guard<T extends object>(peer: Peer, port: T): T {
    return peer === 'API server' ? this.#noting(super.guard(peer, port)) : super.guard(peer, port)
  }

  override watched(...args: Parameters<Strike['watched']>): ReturnType<Strike['watched']> {
    return this.#noting(super.watched(...args))
  }

  #noting<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return (...args: unknown[]): unknown => {
          this.#note(String(name), args[0])
          return Reflect.apply(member, target, args)
        }
      },
    })
  }

  #note(method: string, resource: unknown): void {
    const { plural } = (resource ?? {}) as { plural?: string }
    if (plural === undefined) return
    if (method === 'patchStatus') this.used.add(`patch ${plural}/status`)
    else for (const verb of VERBS.get(method) ?? [method]) this.used.add(`${verb} ${plural}`)
  }
}

async function usedBy<S extends Scene>(stories: readonly Story<S>[], used: Set<string>): Promise<void> {
  for (const story of stories)
    for (const drive of ['passes', 'watches'] as const)
      expect(await play(story, new Rights(used, drive)), story.name).toMatchObject({ wrong: undefined })
}

/** The rules of the template, without the Secrets that a release may name. */
function granted(): Set<string> {
  const text = readFileSync(join(ROOT, 'charts/millrace/templates/_helpers.tpl'), 'utf8')
  const [, rules = ''] = /define "millrace\.rules" -\}\}\n([\s\S]*?)\{\{- end \}\}\n(?=\n|$)/.exec(text) ?? []
  const plain = rules.replace(/\{\{- with[\s\S]*?\{\{- end \}\}\n/, '')
  const list = parse(plain) as readonly Rule[]
  return new Set(
    list.flatMap(({ resources, verbs }) => resources.flatMap((of) => verbs.map((verb) => `${verb} ${of}`))),
  )
}

describe('the rights of the operator in the chart', () => {
  test('are those that the stories of its certification use, and others of which each has a reason', async () => {
    const used = new Set<string>()
    await usedBy(JOB_STORIES, used)
    await usedBy(DRUID_STORIES, used)
    const unused = [...granted()].filter((right) => !used.has(right))
    expect({ refused: [...used].filter((right) => !granted().has(right)), unused: unused.sort() }).toEqual({
      refused: [],
      unused: Object.keys(BESIDE_STORIES).sort(),
    })
  })
})
