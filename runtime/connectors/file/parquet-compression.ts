import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compressors } from 'hyparquet-compressors'
import { unpackLz4Block } from '../kit/lz4-block.ts'
import { unreadableParquet } from './unreadable-parquet.ts'

/** Bytes and the length that they must unpack to → what they unpack to. The caller has bounded the length. */
type Unpack = (bytes: Uint8Array, length: number) => Uint8Array

/** Node's own are faster than those in JavaScript, and end at the length. */
const UNPACK: Readonly<Record<string, Unpack | undefined>> = {
  UNCOMPRESSED: (bytes) => bytes,
  SNAPPY: compressors.SNAPPY,
  GZIP: (bytes, length) => gunzipSync(bytes, limitedTo(length)),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, limitedTo(length)),
  ZSTD: (bytes, length) => zstdDecompressSync(bytes, limitedTo(length)),
  LZ4: unpackLz4,
  LZ4_RAW: unpackLz4Block,
}

function limitedTo(length: number): { maxOutputLength: number } {
  return { maxOutputLength: Math.max(1, length) }
}

/** Throws PARQUET_INVALID when the bytes are none of the codec or do not unpack to exactly `length`. */
export function unpackPage(codec: string, bytes: Uint8Array, length: number): Uint8Array {
  const unpack = UNPACK[codec]
  if (unpack === undefined) throw unreadableParquet(`its pages are compressed with ${codec}`)
  let page: Uint8Array
  try {
    page = unpack(bytes, length)
  } catch (cause) {
    throw unreadableParquet(`a page of ${codec} cannot be unpacked to ${length} bytes`, cause)
  }
  if (page.length !== length) throw unreadableParquet(`a page unpacks to ${page.length} bytes, not ${length}`)
  return page
}

/** Blocks behind the sizes of what they unpack to and of themselves, as Hadoop has them; or one block without. */
function unpackLz4(bytes: Uint8Array, length: number): Uint8Array {
  const blocks = hadoopBlocks(bytes, length)
  if (blocks === undefined) return unpackLz4Block(bytes, length)
  return Buffer.concat(blocks.map((block) => unpackLz4Block(block.bytes, block.length)))
}

interface Lz4Block {
  bytes: Uint8Array
  length: number
}

/** Undefined when the sizes do not fit, so that they are none. */
function hadoopBlocks(bytes: Uint8Array, length: number): Lz4Block[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const blocks: Lz4Block[] = []
  let left = length
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) return undefined
    const unpacked = view.getUint32(at)
    const size = view.getUint32(at + 4)
    if (unpacked > left || size > bytes.length - at - 8) return undefined
    blocks.push({ bytes: bytes.subarray(at + 8, at + 8 + size), length: unpacked })
    left -= unpacked
    at += 8 + size
  }
  return left === 0 ? blocks : undefined
}
