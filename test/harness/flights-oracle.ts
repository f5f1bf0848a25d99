import { zstdDecompressSync } from 'node:zlib'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'

/**
 * An independent computation over the flights file: plain objects and maps, nothing of the engine. For tests that
 * compare every window with what a job wrote.
 */
export interface Flight {
  date: number
  delay: number
  distance: number
  origin: string
  destination: string
}

export interface FlightWindow {
  origin: string
  windowStart: number
  windowEnd: number
  flights: number
  averageDelay: number
  worstDelay: number
  leastDelay: number
  miles: number
}

export const FLIGHTS_FILE = 'node_modules/vega-datasets/data/flights-3m.parquet'

/** Flights [from, to) in the order of the file; all three million without bounds (about 1 GB of heap). */
export async function readFlights(from = 0, to = 3_000_000, path: string = FLIGHTS_FILE): Promise<Flight[]> {
  const rows = await parquetReadObjects({
    file: await asyncBufferFromFile(path),
    rowStart: from,
    rowEnd: to,
    compressors: { ZSTD: (input) => zstdDecompressSync(input) },
  })
  return rows.map((row) => ({
    date: (row['date'] as Date).getTime(),
    delay: Number(row['delay']),
    distance: Number(row['distance']),
    origin: String(row['origin']),
    destination: String(row['destination']),
  }))
}

/**
 * All windows [start, start + size) with start a multiple of slide that hold at least one kept flight, by origin.
 * Keyed by `origin|windowStart`.
 */
export function flightWindows(
  flights: readonly Flight[],
  job: {
    keep: (flight: Flight) => boolean
    sizeMs: number
    slideMs: number
  },
): Map<string, FlightWindow> {
  const windows = new Map<string, FlightWindow & { delays: number }>()
  for (const flight of flights) {
    if (!job.keep(flight)) continue
    const last = Math.floor(flight.date / job.slideMs) * job.slideMs
    for (let start = last; start > flight.date - job.sizeMs; start -= job.slideMs)
      addToWindow(windows, flight, start, job.sizeMs)
  }
  for (const window of windows.values()) window.averageDelay = window.delays / window.flights
  return windows
}

function addToWindow(
  windows: Map<string, FlightWindow & { delays: number }>,
  flight: Flight,
  start: number,
  sizeMs: number,
): void {
  const key = `${flight.origin}|${start}`
  let window = windows.get(key)
  if (!window) {
    window = {
      origin: flight.origin,
      windowStart: start,
      windowEnd: start + sizeMs,
      flights: 0,
      averageDelay: 0,
      delays: 0,
      worstDelay: -Infinity,
      leastDelay: Infinity,
      miles: 0,
    }
    windows.set(key, window)
  }
  window.flights += 1
  window.delays += flight.delay
  window.worstDelay = Math.max(window.worstDelay, flight.delay)
  window.leastDelay = Math.min(window.leastDelay, flight.delay)
  window.miles += flight.distance
}
