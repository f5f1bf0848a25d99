import { writeFileSync } from 'node:fs'
import { dirname, basename } from 'node:path'
import { waitFor } from './beds/wait-for.ts'

const PATIENCE_MS = 120_000

/** Rows with `__time` in epoch milliseconds, a text, and a number beyond what a double holds. */
export interface SampleRow {
  readonly __time: number
  readonly name: string
  readonly big: bigint
}

/** Publishes rows into a datasource by a batch task, and waits until a server has every segment. `file` is written. */
export async function publishToDruid(
  { routerUrl }: { routerUrl: string },
  {
    datasource,
    file,
    rows,
    rowsASegment,
  }: { datasource: string; file: string; rows: readonly SampleRow[]; rowsASegment: number },
): Promise<void> {
  const lines = rows.map(({ __time, name, big }) => `{"t":${__time},"name":${JSON.stringify(name)},"big":${big}}`)
  writeFileSync(file, lines.join('\n'))
  const { task } = (await post(`${routerUrl}/druid/indexer/v1/task`, batchTask(datasource, file, rowsASegment))) as {
    task: string
  }
  let status = 'submitted'
  await waitFor(
    `task ${task} succeeds`,
    PATIENCE_MS,
    async () => {
      const answer = (await get(`${routerUrl}/druid/indexer/v1/task/${task}/status`)) as {
        status?: { statusCode?: string; errorMsg?: string }
      }
      status = `${answer.status?.statusCode} ${answer.status?.errorMsg}`
      return answer.status?.statusCode === 'SUCCESS'
    },
    () => status,
  )
  const query = `SELECT segment_id FROM sys.segments WHERE datasource = '${datasource}' AND is_published = 1 AND is_overshadowed = 0 AND is_available = 0`
  await waitFor('every segment is served and known to be published', PATIENCE_MS, async () => {
    const waiting = (await post(`${routerUrl}/druid/v2/sql`, { query })) as unknown[]
    return waiting.length === 0 && (await countOf(routerUrl, datasource)) >= rows.length
  })
}

/** How many rows an SQL query finds; 0 before there is a datasource. */
async function countOf(routerUrl: string, datasource: string): Promise<number> {
  const answer = await post(`${routerUrl}/druid/v2/sql`, { query: `SELECT COUNT(*) AS c FROM "${datasource}"` })
  return Array.isArray(answer) ? ((answer as { c: number }[])[0]?.c ?? 0) : 0
}

function batchTask(datasource: string, file: string, rowsASegment: number): object {
  return {
    type: 'index_parallel',
    spec: {
      dataSchema: {
        dataSource: datasource,
        timestampSpec: { column: 't', format: 'millis' },
        dimensionsSpec: { dimensions: ['name', { type: 'long', name: 'big' }] },
        granularitySpec: { segmentGranularity: 'day', queryGranularity: 'none', rollup: false },
      },
      ioConfig: {
        type: 'index_parallel',
        inputSource: { type: 'local', baseDir: dirname(file), filter: basename(file) },
        inputFormat: { type: 'json' },
        appendToExisting: true,
      },
      tuningConfig: {
        type: 'index_parallel',
        partitionsSpec: { type: 'dynamic', maxRowsPerSegment: rowsASegment },
      },
    },
  }
}

async function post(url: string, body: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return (await response.json()) as unknown
}

async function get(url: string): Promise<unknown> {
  return (await (await fetch(url)).json()) as unknown
}
