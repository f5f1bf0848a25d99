import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { describeWithCauses, MillraceError } from '../runtime/model/errors.ts'
import { createLogger } from '../runtime/ports/real/logger.ts'
import { realPorts } from '../runtime/ports/real/ports.ts'
import { endWithStarter } from './end-with-starter.ts'
import type { Comparison } from '../sim/comparison.ts'
import { compile } from './compile.ts'
import { explain } from './explain.ts'
import { inspectSavepoint } from './inspect-savepoint.ts'
import { findingsOfModule, isJobModule, loadJobModule } from './job-module.ts'
import { lint } from './lint.ts'
import { readSavepoint } from './read-savepoint.ts'
import { run } from './run.ts'

const EXAMPLE = 'examples/flights.yaml'

const HELP = `millrace: stream jobs on Kubernetes and on this machine

  millrace run job.yaml    runs a job here: coordinator and workers as processes, no Kubernetes; also a job.ts
  millrace lint job.yaml   checks job files and says file, line and column
  millrace explain job.yaml  shows the chains and slots a job becomes, and what travels between them
  millrace sim job.yaml    runs it under virtual time with kills, cut networks, failing disks; its output must stay the same
  millrace compile job.ts  prints the StreamJob of a job in TypeScript, with its code, for kubectl apply
  millrace infer FILE|TOPIC  prints the schema that a sample of JSON lines or CSV suggests
  millrace savepoint inspect PATH  says what is in a savepoint or checkpoint
  millrace savepoint read PATH  prints the state of an operator, entry by entry
  millrace dev [job.yaml]  serves a small Kubernetes API with the operator, for kubectl

  run:   --in-process  all in one process      --resume ID  goes on with an earlier run's state
         --restore PATH  starts from a savepoint or checkpoint of another job
         --log info|debug|silent  (silent)
  sim:   --seeds N     how many runs, each with faults of its own (100)   --seed K  that one again, with its log
         --limit N     takes the first N rows of each file
         --key a,b [--order c]  compares these fields only, with --order of the last row of each key
  explain: --code  prints the JavaScript that is generated for each operator
  compile: --code  prints the code alone, for an image
           --image PATH  names the code's file in the image instead of a ConfigMap
  infer: --brokers host:port  reads a topic instead of a file
  savepoint read: --operator ID  --table NAME  --key auction=5  --limit N
  dev:   --example     applies examples/flights.yaml and shows what happens
  all:   -o json       for programs            --help

Example: millrace run examples/flights.yaml
`

endWithStarter()
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const code = error instanceof MillraceError ? `${error.code} ` : ''
  const hint = error instanceof MillraceError && error.hint !== undefined ? `\n  ${error.hint}` : ''
  process.stderr.write(`millrace: ${code}${describeWithCauses(error)}${hint}\n`)
  process.exitCode = isUsage(error) ? 2 : 1
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      'in-process': { type: 'boolean', default: false },
      example: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      output: { type: 'string', short: 'o', default: 'text' },
      resume: { type: 'string' },
      restore: { type: 'string' },
      log: { type: 'string', default: 'silent' },
      brokers: { type: 'string' },
      seeds: { type: 'string' },
      seed: { type: 'string' },
      limit: { type: 'string' },
      key: { type: 'string' },
      order: { type: 'string' },
      code: { type: 'boolean', default: false },
      image: { type: 'string' },
      operator: { type: 'string' },
      table: { type: 'string' },
    },
  })
  const [verb, ...files] = positionals
  if (values.help || verb === undefined) {
    process.stdout.write(HELP)
    return verb === undefined && !values.help ? 2 : 0
  }
  const output = oneOf('output', values.output, ['text', 'json'] as const)
  switch (verb) {
    case 'run':
      return run({
        file: oneFile(verb, files),
        inProcess: values['in-process'],
        output,
        resume: values.resume,
        restore: values.restore,
        logLevel: oneOf('log', values.log, ['info', 'debug', 'silent'] as const),
      })
    case 'explain':
      return explain(oneFile(verb, files), { output, show: values.code ? 'code' : 'plan' }, builtinConnectors, {
        out: (text) => {
          process.stdout.write(text)
        },
        err: (text) => {
          process.stderr.write(text)
        },
      })
    case 'compile':
      return compile(
        oneFile(verb, files, 'job.ts'),
        builtinConnectors,
        values.code
          ? { kind: 'code' }
          : values.image === undefined
            ? { kind: 'configMap' }
            : { kind: 'image', path: values.image },
      )
    case 'infer': {
      const [{ infer }, { connectKafka }] = await Promise.all([
        import('./infer.ts'),
        import('../runtime/connectors/kafka/real/client.ts'),
      ])
      return infer(
        { from: oneFile(verb, files, 'FILE'), brokers: values.brokers, output },
        {
          ports: realPorts({ logger: createLogger({ to: 'stderr', level: 'error' }), printLine: () => undefined }),
          connect: connectKafka,
          out: (text) => {
            process.stdout.write(text)
          },
        },
      )
    }
    case 'sim': {
      // Loaded here only, as the operator below.
      const { sim } = await import('./sim.ts')
      if (values.seed !== undefined && values.seeds !== undefined)
        throw new MillraceError('USAGE', '--seed takes one run, --seeds many: give one of both', { domain: 'user' })
      return sim(
        {
          file: oneFile(verb, files),
          output,
          limit: values.limit === undefined ? undefined : wholeNumber('limit', values.limit, 1),
          comparison: comparisonOf(values.key, values.order),
          seeds:
            values.seed === undefined
              ? { kind: 'many', count: wholeNumber('seeds', values.seeds ?? '100', 1) }
              : { kind: 'one', seed: wholeNumber('seed', values.seed, 0) },
        },
        {
          out: (text) => {
            process.stdout.write(text)
          },
          err: (text) => {
            process.stderr.write(text)
          },
        },
      )
    }
    case 'lint':
      return lint(
        files,
        { output, connectors: builtinConnectors },
        {
          readText: (path) => readFile(path, 'utf8'),
          moduleFindings: (path, text) =>
            isJobModule(path)
              ? loadJobModule(path).then((job) => findingsOfModule(path, job, builtinConnectors, text))
              : undefined,
          out: (text) => {
            process.stdout.write(text)
          },
          err: (text) => {
            process.stderr.write(text)
          },
        },
      )
    case 'savepoint': {
      const [what, ...paths] = files
      if (what === 'read') {
        return readSavepoint(
          {
            path: oneFile('savepoint read', paths, 'PATH'),
            operator: values.operator,
            table: values.table,
            key: values.key,
            output,
            limit: values.limit === undefined ? Infinity : wholeNumber('limit', values.limit, 1),
          },
          (text) => {
            process.stdout.write(text)
          },
        )
      }
      if (what !== 'inspect')
        throw new MillraceError('USAGE', `there is no command savepoint ${JSON.stringify(what ?? '')}`, {
          domain: 'user',
          hint: 'millrace savepoint inspect PATH, millrace savepoint read PATH',
        })
      return inspectSavepoint(oneFile('savepoint inspect', paths, 'PATH'), output, (text) => {
        process.stdout.write(text)
      })
    }
    case 'dev': {
      // Loaded here only: `run` and `lint` start without the operator and the API server.
      const { dev } = await import('./dev.ts')
      return dev({ files: values.example ? [...files, EXAMPLE] : files })
    }
    default:
      throw new MillraceError('USAGE', `there is no command ${JSON.stringify(verb)}`, {
        domain: 'user',
        hint: 'millrace --help lists them',
      })
  }
}

function oneFile(verb: string, files: readonly string[], what = 'job.yaml'): string {
  const [file, another] = files
  if (file !== undefined && another === undefined) return file
  throw new MillraceError('USAGE', `millrace ${verb} takes one ${what}, not ${files.length}`, {
    domain: 'user',
    hint: `millrace ${verb} ${what}`,
  })
}

function oneOf<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === value)
  if (found !== undefined) return found
  throw new MillraceError('USAGE', `--${name} is ${JSON.stringify(value)}, not ${known.join(' or ')}`, {
    domain: 'user',
  })
}

function comparisonOf(key: string | undefined, order: string | undefined): Comparison {
  if (key !== undefined)
    return order === undefined ? { kind: 'fields', key: key.split(',') } : { kind: 'last', key: key.split(','), order }
  if (order === undefined) return { kind: 'whole' }
  throw new MillraceError('USAGE', '--order says which row of each key counts: --key is missing', { domain: 'user' })
}

function wholeNumber(name: string, value: string, least: number): number {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number >= least && value.trim() !== '') return number
  throw new MillraceError('USAGE', `--${name} is ${JSON.stringify(value)}, not a whole number from ${least} on`, {
    domain: 'user',
  })
}

function isUsage(error: unknown): boolean {
  return (
    (error instanceof MillraceError && error.code === 'USAGE') ||
    (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
  )
}
