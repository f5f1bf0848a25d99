import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { NODE_FLAGS } from '../runtime/node-flags.ts'
import { figureOf, type Figure } from './figure.ts'
import type { SpillFigures } from './spill-run.ts'
import type { StateFigures } from './state-run.ts'

const MB = 1024 * 1024

/** Where the time of updating whole rows goes, from a profile with 3 million. */
const ROWS_LIMITS =
  'profile: writing the three texts is 23 %, finding the record 15 % (cache misses), writing it 14 %, garbage collection 7 %, making the row to be written 6 %'

/** Targets of the worst turn of the loop in ms, and of the bytes of a row. */
const CASES = [
  { kind: 'numbers', keys: 1_000_000, turnMs: 20 },
  { kind: 'rows', keys: 1_000_000, turnMs: 35 },
  { kind: 'numbers', keys: 10_000_000, turnMs: 20 },
  { kind: 'rows', keys: 10_000_000, turnMs: 35 },
] as const

/**
 * What it costs to keep 1 and 10 million keys and to write them into checkpoints while they are updated at random.
 * Pauses are CPU of the loop's thread, so that other load on the machine does not count.
 */
export function state(): Figure[] {
  return [
    ...CASES.flatMap(({ kind, keys, turnMs }) => {
      const { bytesPerKey, updatesPerCpuSecond, updatesPerCpuSecondCheckpointing, worstMs, wholeBytes, changedBytes } =
        run('state-run.ts', kind, keys) as StateFigures
      const of = (name: string): string => `${keys / 1e6} M ${kind}, ${name}`
      return [
        figureOf(of('memory per key'), 'B', [bytesPerKey], kind === 'rows' ? { target: 160 } : {}),
        figureOf(of('updates'), '/CPU s', [updatesPerCpuSecond], {
          target: 1e6,
          atLeast: true,
          note: `${Math.round(updatesPerCpuSecondCheckpointing)} while checkpoints are written`,
          ...(kind === 'rows' ? { limits: ROWS_LIMITS } : {}),
        }),
        figureOf(of('barrier of a snapshot'), 'ms', [worstMs.barrier], { target: 1 }),
        figureOf(of('worst turn while writing'), 'ms', [worstMs.turnCheckpointing], {
          target: turnMs,
          note: `${worstMs.turn.toFixed(1)} without a checkpoint; on the clock ${worstMs.turnCheckpointingElapsed.toFixed(0)}`,
        }),
        figureOf(of('checkpoint of all'), 'MB', [wholeBytes / MB]),
        figureOf(
          of('checkpoint when 10 % changed'),
          'MB',
          changedBytes.map((bytes) => bytes / MB),
          { target: (wholeBytes * 0.12) / MB },
        ),
      ]
    }),
    ...spilled(),
  ]
}

/** Three times as many rows as may lie in memory; the file is in the page cache, so that no disk is measured. */
function spilled(): Figure[] {
  const { loads } = run('spill-run.ts', 1_200_000, 55) as SpillFigures
  return Object.entries(loads).map(([name, { perCpuSecond, residentMB, fileMB, worstBatchMs }]) =>
    figureOf(`1.2 M rows, a third of them in memory, ${name}`, '/CPU s', [perCpuSecond], {
      note: `${residentMB.toFixed(0)} MB in memory, file of ${fileMB.toFixed(0)} MB, worst batch of 1000 ${worstBatchMs.toFixed(0)} ms`,
    }),
  )
}

function run(script: string, ...args: readonly (string | number)[]): unknown {
  return JSON.parse(
    execFileSync(process.execPath, [...NODE_FLAGS, join(import.meta.dirname, script), ...args.map(String)], {
      encoding: 'utf8',
    }),
  )
}
