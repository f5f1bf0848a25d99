import type { FuzzRandom } from './fuzz-random.ts'

/** Values that lengths and counts are set to: ends of their ranges, and those next to them. */
const EXTREMES: readonly number[] = [
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff4, 0xffffffff,
]
/** The longest varints of 32 and 64 bits, zero and minus one in zigzag, and one that does not end. */
const VARINTS: readonly Buffer[] = [
  'ffffffff0f',
  'feffffff0f',
  'ffffffffffffffffff01',
  '01',
  '808001',
  'ffffff7f',
  'ff'.repeat(12),
].map((hex) => Buffer.from(hex, 'hex'))
/** A sample grows by repeating parts of it, no further than this. */
const MAX_BYTES = 64 * 1024

type Mutation = (random: FuzzRandom, bytes: Buffer, other: Buffer) => Buffer

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  flipBit,
  setByte,
  cut,
  removePart,
  setNumber,
  setNumber,
  setVarint,
  repeatPart,
  splice,
]

/** One of the samples with one to four mutations. */
export function mutated(random: FuzzRandom, samples: readonly Buffer[]): Buffer {
  const other = random.pick(samples)
  let bytes: Buffer = Buffer.from(random.pick(samples))
  for (let left = 1 + random.below(4); left > 0; left--)
    if (bytes.length > 0) bytes = random.pick(MUTATIONS)(random, bytes, other)
  return bytes
}

function flipBit(random: FuzzRandom, bytes: Buffer): Buffer {
  const at = random.below(bytes.length)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
  return bytes
}

function setByte(random: FuzzRandom, bytes: Buffer): Buffer {
  bytes[random.below(bytes.length)] = random.below(256)
  return bytes
}

function cut(random: FuzzRandom, bytes: Buffer): Buffer {
  return bytes.subarray(0, random.below(bytes.length))
}

function removePart(random: FuzzRandom, bytes: Buffer): Buffer {
  const from = random.below(bytes.length)
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random.below(16))])
}

function setNumber(random: FuzzRandom, bytes: Buffer): Buffer {
  const value = random.pick(EXTREMES)
  const at = random.below(bytes.length)
  const number = Buffer.alloc(4)
  if (random.below(2) === 0) number.writeUInt32LE(value)
  else number.writeUInt32BE(value)
  number.copy(bytes, at)
  return bytes
}

function setVarint(random: FuzzRandom, bytes: Buffer): Buffer {
  const at = random.below(bytes.length)
  const replaced = random.below(4)
  return Buffer.concat([bytes.subarray(0, at), random.pick(VARINTS), bytes.subarray(at + replaced)])
}

function repeatPart(random: FuzzRandom, bytes: Buffer): Buffer {
  const from = random.below(bytes.length)
  const part = bytes.subarray(from, from + 1 + random.below(64))
  const times = Math.min(1 + random.below(200), Math.floor(MAX_BYTES / part.length))
  return Buffer.concat([
    bytes.subarray(0, from),
    ...new Array<Buffer>(times).fill(part),
    bytes.subarray(from),
  ]).subarray(0, MAX_BYTES)
}

function splice(random: FuzzRandom, bytes: Buffer, other: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length))])
}
