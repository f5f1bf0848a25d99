import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Fields } from '../../runtime/model/fields.ts'
import {
  BY_ARRIVAL,
  KEPT,
  PLACE,
  rounded,
  rowsOf,
  settledOutputs,
  unpackFolder,
  type Outputs,
} from '../harness/kept-savepoints.ts'
import { startMillraceIn } from '../harness/processes.ts'

/** What earlier versions saved is restored by this one, for ever: never make an older version's anew. */
const KEPT_ONES = readdirSync(KEPT)
  .sort()
  .flatMap((version) =>
    readdirSync(join(KEPT, version))
      .filter((name) => name.endsWith('.gz'))
      .map((name) => ({ version, example: name.slice(0, -'.gz'.length) })),
  )

describe('savepoints of earlier versions', () => {
  const folders: string[] = []
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  })

  /** The folder in which the job was suspended, as it was left, somewhere else. */
  function leftFolder(version: string, example: string): { folder: string; savepoint: string } {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-kept-'))
    folders.push(folder)
    unpackFolder(join(KEPT, version, `${example}.gz`), folder)
    for (const file of ['functions.ts', 'departures.jsonl']) cpSync(join(KEPT, version, file), join(folder, file))
    const [checkpoint] = readdirSync(join(folder, 'state', 'checkpoints'))
    if (checkpoint === undefined) throw new Error(`no savepoint of ${example} is kept in ${version}`)
    const savepoint = join(folder, 'state', 'checkpoints', checkpoint)
    const manifest = join(savepoint, 'manifest.json')
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replaceAll(PLACE, folder))
    // state lives by the clock on the wall, and what is kept grows old: its time is made to last, as a user may do
    // at any time
    const job = join(folder, 'job.yaml')
    const written = readFileSync(job, 'utf8').replace(/"ttl": "[^"]+"/g, '"ttl": "36500d"')
    writeFileSync(job, JSON.stringify(inPresentForm(parse(written) as KeptJob)))
    return { folder, savepoint }
  }

  for (const { version, example } of KEPT_ONES) {
    test(`when the example ${example} goes on from what ${version} saved, with another parallelism, ${BY_ARRIVAL.includes(example) ? 'more comes out' : 'before and after together are what an uninterrupted run gave'}`, async () => {
      const { folder, savepoint } = leftFolder(version, example)
      const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Outputs
      const rows = (): number =>
        Object.keys(expected).reduce((sum, sink) => sum + rowsOf(join(folder, 'out', sink)).length, 0)
      const before = rows()
      const { code, stderr } = await startMillraceIn(folder, 'run', 'job.yaml', '--in-process', '--restore', savepoint)
        .ended
      expect(code, stderr).toBe(0)
      expect(rows()).toBeGreaterThan(before)
      if (!BY_ARRIVAL.includes(example)) expect(rounded(settledOutputs(example, folder))).toEqual(rounded(expected))
      expect(existsSync(join(savepoint, 'manifest.json'))).toBe(true)
    })
  }
})

interface KeptJob {
  spec: { graph: { join?: Fields; topN?: Fields; sideOutput?: Fields }[] }
}

/** The job as its user has to write it for this version; the manifest of the savepoint keeps the old form. */
function inPresentForm({ spec, ...job }: KeptJob): object {
  const graph = spec.graph.map(({ join, topN, sideOutput, ...entry }) => ({
    ...entry,
    ...(join === undefined ? {} : { join: renamed(join, 'on', 'keyBy') }),
    ...(topN === undefined ? {} : { topN: renamed(topN, 'n', 'limit') }),
    ...(sideOutput === undefined
      ? {}
      : { sideOutput: Object.entries(sideOutput).map(([name, condition]) => ({ [name]: condition })) }),
  }))
  return { ...job, spec: { ...spec, graph } }
}

function renamed(fields: Fields, old: string, name: string): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key === old ? name : key, value]))
}
