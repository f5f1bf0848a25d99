import { compileRowClass } from '../runtime/codegen/rows/row.ts'
import { NEXMARK_BIDS } from '../runtime/connectors/nexmark/declaration.ts'
import { NexmarkGenerator } from '../runtime/connectors/nexmark/generator.ts'
import type { Row } from '../runtime/model/schema.ts'
import { compileReadAll } from './read-all.ts'

/**
 * The generator without an engine: events made, bids as rows, every field read. What it costs per event is what the
 * cost of a query is counted from. Arguments: events of the warm-up, events measured. Prints nanoseconds of CPU per
 * event.
 */
const [warm = 4_000_000, measured = 12_000_000] = process.argv.slice(2).map(Number)
const BidRow = compileRowClass(NEXMARK_BIDS)
const readAll = compileReadAll(NEXMARK_BIDS)
const generator = new NexmarkGenerator()
const rows: Row[] = new Array<Row>(1024)
let checksum = 0

function run(from: number, until: number): void {
  let count = 0
  for (let n = from; n < until; n++) {
    const event = generator.event(n)
    if (event.kind !== 'bid') continue
    rows[count++] = new BidRow(
      event.auction,
      event.bidder,
      event.price,
      event.channel,
      event.url,
      event.dateTime,
      event.extra,
    )
    if (count === rows.length) {
      checksum += readAll(rows, count)
      count = 0
    }
  }
  checksum += readAll(rows, count)
}

run(0, warm)
const before = process.cpuUsage()
run(warm, warm + measured)
const { user, system } = process.cpuUsage(before)
process.stdout.write(`${JSON.stringify({ nsPerEvent: ((user + system) * 1000) / measured, checksum })}\n`)
