import { MillraceError } from '../../../model/errors.ts'
import type { Clock } from '../../../ports/clock.ts'
import { inLanes } from '../../kit/lanes.ts'
import { decodeMark, encodeMark, type GenerationMark, MOST_PARTS } from '../../kit/row-store/generation-mark.ts'
import type { Generation, HeadRow, ObjectRows, Part } from '../../kit/row-store/object-rows.ts'
import type { PatientCall } from '../../kit/row-store/patient-calls.ts'
import { prefixEnd } from '../../kit/row-store/prefix-end.ts'
import type { ReadCell } from '../cell-set.ts'
import { UNAVAILABLE } from '../refusal.ts'
import type { HbaseGateway } from '../gateway.ts'

const PART_BYTES = 512 * 1024
/** In base64 and with their keys less than the 4 MB that an answer may have. */
const PARTS_A_REQUEST = 4
/** Requests under way side by side. */
const LANES = 4
/** Deletions, which the gateway takes one row a call. */
const DELETION_LANES = 8
/** Rows of a page of a listing. */
const PAGE = 1000
/** The family of all columns. */
const FAMILY = 'd'

/** A head has a generation and bytes, a mark its text and a state, a part bytes and its number. */
const COLUMNS = {
  generation: `${FAMILY}:g`,
  bytes: `${FAMILY}:b`,
  mark: `${FAMILY}:m`,
  state: `${FAMILY}:s`,
  number: `${FAMILY}:n`,
} as const
type ColumnName = keyof typeof COLUMNS

/** What keys begin with: rows of heads, of marks of generations, and of parts. */
const HEAD = 'h'
const MARK = 'm'
const PART = 'p'
/** Between the path of a mark and its generation, which has none. */
const MARK_SEPARATOR = '#'

/** Times are milliseconds. */
interface Mark extends GenerationMark {
  readonly text: string
  readonly isCondemned: boolean
}

type Cells = ReadonlyMap<ColumnName, ReadCell>

/**
 * Rows of a store in one table of HBase: `hPATH` is the head of a file, `mPATH#NAME` the mark of a generation, `pNAME/000007`
 * a part. Rows lie in the order of their keys, so heads and marks are listed by their beginning.
 *
 * Heads and marks are written by check-and-put, which the region server carries out under the lock of the row, with a
 * version that is not older than the one it has checked. A cell that is not there has no version, but the marker of its
 * deletion may have a later one than the server's clock: then the server answers that it has written, and hides what it
 * wrote. So a head is read after it was written where there was none, and written again until it is seen. Parts are
 * written once, with the version in the mark, and deleted up to that version, whatever the clocks say.
 */
export class HbaseRows implements ObjectRows {
  readonly inlineBytes = 16_000
  readonly partBytes = PART_BYTES
  readonly #gateway: HbaseGateway
  readonly #patiently: PatientCall
  readonly #clock: Clock

  constructor(gateway: HbaseGateway, patiently: PatientCall, clock: Clock) {
    this.#gateway = gateway
    this.#patiently = patiently
    this.#clock = clock
  }

  async head(path: string): Promise<Uint8Array | undefined> {
    const cells = await this.#row(HEAD + path, ['generation', 'bytes'])
    return cells === undefined ? undefined : bytesOf(cells, 'bytes')
  }

  insertHead(path: string, head: HeadRow): Promise<boolean> {
    return this.#patiently(`writing ${path}`, async () => {
      if (!(await this.#checkAndPutHead(path, head, undefined))) return false
      const seen = await this.#generationIn(path)
      if (seen === undefined) throw hidden(path)
      return seen === head.generation
    })
  }

  putHead(path: string, head: HeadRow): Promise<void> {
    return this.#patiently(`writing ${path}`, async () => {
      // that of this very call when an earlier try has done it
      const before = await this.#generationIn(path)
      if (!(await this.#checkAndPutHead(path, head, before))) throw replaced(path)
      if ((await this.#generationIn(path)) === undefined) throw hidden(path)
    })
  }

  async deleteHead(path: string): Promise<void> {
    await this.#delete(HEAD + path, await this.#row(HEAD + path, ['generation', 'bytes']))
  }

  async heads(prefix: string): Promise<readonly string[]> {
    return (await this.#list(HEAD + prefix, 'generation')).map((key) => key.slice(HEAD.length))
  }

  async generations(prefix: string): Promise<readonly Generation[]> {
    return (await this.#list(MARK + prefix, 'mark')).flatMap(generationIn)
  }

  async generationsOf(path: string): Promise<readonly Generation[]> {
    const keys = await this.#list(MARK + path + MARK_SEPARATOR, 'mark')
    return keys.flatMap(generationIn).filter((found) => found.path === path)
  }

  async writeParts(of: Generation, parts: readonly Uint8Array[]): Promise<void> {
    const writeTime = Math.trunc(this.#clock.now())
    const mark = encodeMark({ parts: parts.length, writeTime: BigInt(writeTime) })
    await this.#checkAndPut(markKey(of), { mark, state: Buffer.from('written') }, ['mark', ''])
    await inLanes(LANES, requestsOf(parts.length).values(), async (numbers) => {
      await this.#gateway.put(
        numbers.map((number) => ({
          key: base64(partKey(of, number)),
          time: writeTime,
          cells: [cellOf('bytes', parts[number] ?? new Uint8Array()), cellOf('number', Buffer.from(String(number)))],
        })),
      )
    })
  }

  async parts(of: Generation, count: number): Promise<readonly Part[]> {
    return (await this.#partRows(of, count, 'bytes')).map(([number, cells]) => ({
      number,
      bytes: bytesOf(cells, 'bytes'),
    }))
  }

  async deleteGeneration(of: Generation): Promise<void> {
    const mark = await this.#mark(of)
    if (mark === undefined) return
    const numbers = Array.from({ length: mark.parts }, (_, number) => number)
    await inLanes(DELETION_LANES, numbers.values(), async (number) => {
      await this.#gateway.delete(base64(partKey(of, number)), [base64(FAMILY)], Number(mark.writeTime))
    })
    await this.#delete(markKey(of), await this.#row(markKey(of), ['mark', 'state']))
  }

  condemn(of: Generation): Promise<void> {
    return this.#setState(of, 'condemned')
  }

  absolve(of: Generation): Promise<void> {
    return this.#setState(of, 'written')
  }

  /**
   * Parts are deleted after their mark was condemned. They are looked for all the same: a mark whose first writing was
   * answered to nobody may have been condemned and deleted with its parts before it was written again.
   */
  async isKept(of: Generation, count: number): Promise<boolean> {
    const mark = await this.#mark(of)
    if (mark === undefined || mark.isCondemned) return false
    return (await this.#partRows(of, count, 'number')).length === count
  }

  /** A generation that has no mark has no parts either. */
  async #setState(of: Generation, state: string): Promise<void> {
    const mark = await this.#mark(of)
    if (mark === undefined) return
    // false: another sweeper has deleted it
    await this.#checkAndPut(markKey(of), { mark: Buffer.from(mark.text), state: Buffer.from(state) }, [
      'mark',
      mark.text,
    ])
  }

  async #mark(of: Generation): Promise<Mark | undefined> {
    const cells = await this.#row(markKey(of), ['mark', 'state'])
    if (cells === undefined) return undefined
    const bytes = bytesOf(cells, 'mark')
    return {
      ...decodeMark(bytes, of.path),
      text: bytes.toString(),
      isCondemned: bytesOf(cells, 'state').toString() !== 'written',
    }
  }

  async #generationIn(path: string): Promise<string | undefined> {
    const cells = await this.#row(HEAD + path, ['generation'])
    return cells === undefined ? undefined : bytesOf(cells, 'generation').toString()
  }

  #checkAndPutHead(path: string, { generation, bytes }: HeadRow, before: string | undefined): Promise<boolean> {
    return this.#checkAndPut(HEAD + path, { generation: Buffer.from(generation), bytes }, ['generation', before ?? ''])
  }

  #checkAndPut(
    key: string,
    cells: Partial<Record<ColumnName, Uint8Array>>,
    [checked, value]: readonly [ColumnName, string],
  ): Promise<boolean> {
    return this.#gateway.checkAndPut(
      base64(key),
      Object.entries(cells).map(([name, bytes]) => cellOf(name as ColumnName, bytes)),
      cellOf(checked, Buffer.from(value)),
    )
  }

  async #row(key: string, names: readonly ColumnName[]): Promise<Cells | undefined> {
    return (await this.#rows([key], names)).get(key)
  }

  async #rows(keys: readonly string[], names: readonly ColumnName[]): Promise<ReadonlyMap<string, Cells>> {
    const found = await this.#gateway.get(
      keys.map(base64),
      names.map((name) => COLUMNS[name]),
    )
    return new Map(
      keys.flatMap((key) => {
        const cells = found.get(base64(key))
        if (cells === undefined) return []
        const named = names.flatMap((name) => {
          const cell = cells.get(base64(COLUMNS[name]))
          return cell === undefined ? [] : [[name, cell] as const]
        })
        return [[key, new Map(named)] as const]
      }),
    )
  }

  async #partRows(
    of: Generation,
    count: number,
    name: ColumnName,
  ): Promise<readonly (readonly [number: number, cells: Cells])[]> {
    const found: (readonly [number, Cells])[] = []
    await inLanes(LANES, requestsOf(Math.min(count, MOST_PARTS)).values(), async (numbers) => {
      const rows = await this.#rows(
        numbers.map((number) => partKey(of, number)),
        [name],
      )
      for (const number of numbers) {
        const cells = rows.get(partKey(of, number))
        if (cells !== undefined) found.push([number, cells])
      }
    })
    return found
  }

  /** Up to the versions that were read: a later one is somebody else's. */
  async #delete(key: string, cells: Cells | undefined): Promise<void> {
    const times = [...(cells?.values() ?? [])].map(({ time }) => time)
    if (times.length === 0) return
    await this.#gateway.delete(base64(key), [base64(FAMILY)], Math.max(...times))
  }

  async #list(prefix: string, column: ColumnName): Promise<readonly string[]> {
    const found: string[] = []
    const to = prefixEnd(prefix) ?? prefixEnd(prefix.slice(0, 1)) ?? ''
    for (let from = prefix; ; ) {
      const page = await this.#gateway.scan({ from, to, column: COLUMNS[column], limit: PAGE })
      found.push(...page.filter((key) => key.startsWith(prefix)))
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE || !last.startsWith(prefix)) return found
      if (Buffer.compare(Buffer.from(last), Buffer.from(from)) < 0) throw unordered(prefix)
      // the next key that there may be
      from = `${last}\0`
    }
  }
}

function markKey({ path, name }: Generation): string {
  return MARK + path + MARK_SEPARATOR + name
}

function generationIn(key: string): readonly Generation[] {
  const at = key.lastIndexOf(MARK_SEPARATOR)
  return at < 0 ? [] : [{ path: key.slice(MARK.length, at), name: key.slice(at + 1) }]
}

function partKey({ name }: Generation, number: number): string {
  return `${PART}${name}/${String(number).padStart(6, '0')}`
}

/** The numbers of the parts of each request. */
function requestsOf(parts: number): readonly (readonly number[])[] {
  return Array.from({ length: Math.ceil(parts / PARTS_A_REQUEST) }, (_, request) =>
    Array.from(
      { length: Math.min(PARTS_A_REQUEST, parts - request * PARTS_A_REQUEST) },
      (__, at) => request * PARTS_A_REQUEST + at,
    ),
  )
}

function cellOf(name: ColumnName, bytes: Uint8Array): { column: string; value: string } {
  return {
    column: base64(COLUMNS[name]),
    value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  }
}

/** Empty where somebody else has written: no head and no mark is. */
function bytesOf(cells: Cells, name: ColumnName): Buffer {
  return Buffer.from(cells.get(name)?.value ?? '', 'base64')
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function hidden(path: string): MillraceError {
  return new MillraceError(
    UNAVAILABLE,
    `HBase has written the row of ${path} and does not show it: a deletion has a later version`,
    {
      domain: 'dependency',
      retriable: true,
      hint: 'The clock of a region server is behind that of another one.',
    },
  )
}

function replaced(path: string): MillraceError {
  return new MillraceError(UNAVAILABLE, `the row of ${path} was replaced while it was written`, {
    domain: 'dependency',
    retriable: true,
  })
}

function unordered(prefix: string): MillraceError {
  return new MillraceError('STORE_LIST_UNORDERED', `HBase listed the rows from ${prefix} on in no order`, {
    domain: 'dependency',
  })
}
