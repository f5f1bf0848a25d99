import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { millrace, runCommandLine } from '../../../cli/command-line.ts'

interface Ended {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

async function ended(...args: string[]): Promise<Ended> {
  let out = ''
  let err = ''
  const exitCode = await runCommandLine(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
  })
  return { exitCode, out, err }
}

/** Every command that does something: `lint`, `explain`, `explain connector`, … */
function leaves(command: CommandUnknownOpts, path: readonly string[] = []): string[][] {
  const own = command.commands.length === 0 || command.registeredArguments.length > 0 ? [[...path]] : []
  return [...own, ...command.commands.flatMap((child) => leaves(child, [...path, child.name()]))]
}

const COMMANDS = leaves(millrace({ console: { out: () => undefined, err: () => undefined }, end: () => undefined }))

test('an option behind a command within a command is that of the inner one', async () => {
  const { exitCode, out } = await ended('explain', 'connector', 'values', '-o', 'json')
  expect(exitCode).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ name: 'values' })
})

describe('a wrong command line ends with exit code 2, writes nothing to standard output, and', () => {
  const WRONG: readonly [what: string, args: readonly string[], message: RegExp][] = [
    ['an option of another command is named', ['lint', '--seeds', '3', 'a.yaml'], /unknown option '--seeds'/],
    ['the option that was meant is suggested', ['sim', '--sedes', '3', 'a.yaml'], /Did you mean --seeds\?/],
    ['the command that was meant is suggested', ['explan', 'a.yaml'], /Did you mean explain\?/],
    ['the savepoint command that was meant is suggested', ['savepoint', 'raed', 'x'], /Did you mean read\?/],
    ['an excess argument is named', ['run', 'a.yaml', 'b.yaml'], /Expected 1 argument but got 2: a\.yaml, b\.yaml/],
    ['a missing argument is named', ['explain'], /missing required argument 'job'/],
    [
      'a choice that does not exist lists the choices',
      ['lint', '-o', 'xml', 'a.yaml'],
      /Allowed choices are text, json/,
    ],
    ['a number below the least says so', ['sim', '--limit', '0', 'a.yaml'], /a whole number of at least 1/],
    ['an empty number says so', ['sim', '--seed', ' ', 'a.yaml'], /a whole number of at least 0/],
    ['a fraction says so', ['savepoint', 'read', 'x', '--limit', '1.5'], /a whole number of at least 1/],
    ['--seed with --seeds says so', ['sim', 'a.yaml', '--seed', '1', '--seeds', '2'], /cannot be used with/],
    ['--image with --code says so', ['compile', 'a.ts', '--code', '--image', '/a'], /cannot be used with/],
    ['--order without --key says so', ['sim', 'a.yaml', '--order', 'time'], /--key is missing/],
    ['lint without files says so', ['lint'], /nothing to lint/],
    ['no command prints the help', [], /Usage: millrace /],
  ]
  test.each(WRONG)('%s', async (_what, args, message) => {
    const { exitCode, out, err } = await ended(...args)
    expect(err).toMatch(message)
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
  })
})

test('an error names the command whose help lists the options', async () => {
  const { err } = await ended('savepoint', 'read', 'x', '--seeds', '1')
  expect(err).toBe("millrace: USAGE unknown option '--seeds'\n  millrace savepoint read --help lists its options\n")
})

test('the help of millrace lists every command and an example', async () => {
  const { exitCode, out, err } = await ended('--help')
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
  for (const [name] of COMMANDS) expect(out).toMatch(new RegExp(`^  ${name} `, 'm'))
  expect(out).toContain('\nExample: millrace run ')
})

test.each(COMMANDS.map((path) => [path.join(' ')]))('the help of %s has an example of that command', async (path) => {
  const { exitCode, out, err } = await ended(...path.split(' '), '--help')
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
  expect(out).toContain(`Usage: millrace ${path} `)
  expect(out).toContain(`\nExample: millrace ${path} `)
})

describe('with files', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-command-line-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('options stand before or after the file', async () => {
    const broken = join(folder, 'broken.yaml')
    await writeFile(broken, 'kind: StreamJob\n')
    const before = await ended('lint', '-o', 'json', broken)
    expect(JSON.parse(before.out)).toMatchObject({ files: 1 })
    expect(before.exitCode).toBe(1)
    expect(await ended('lint', broken, '--output=json')).toEqual(before)
  })

  test('a command that throws ends with exit code 1 and the code of its error', async () => {
    const { exitCode, err } = await ended('infer', join(folder, 'missing.csv'))
    expect(err).toContain('millrace: FILE_MISSING there is no file ')
    expect(exitCode).toBe(1)
  })
})
