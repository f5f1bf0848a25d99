import { gzipSync, zstdCompressSync } from 'node:zlib'
import { i32, thriftBytes, type Thrift } from './thrift-writer.ts'

export type ParquetCompression = 'none' | 'gzip' | 'zstd'

/** CompressionCodec and PageType of parquet.thrift. */
export const CODEC: Readonly<Record<ParquetCompression, number>> = { none: 0, gzip: 2, zstd: 6 }
export const PAGE = { data: 0, dictionary: 2 } as const

/** A page behind its header; `head` is the member of the header that belongs to its type. */
export function packedPage(
  type: number,
  bytes: Uint8Array,
  head: readonly [number, Thrift],
  compression: ParquetCompression,
): { readonly page: Buffer; readonly unpackedBytes: number } {
  const body = packedBytes(bytes, compression)
  const header = thriftBytes([[1, i32(type)], [2, i32(bytes.length)], [3, i32(body.length)], head])
  return { page: Buffer.concat([header, body]), unpackedBytes: header.length + bytes.length }
}

function packedBytes(bytes: Uint8Array, compression: ParquetCompression): Uint8Array {
  switch (compression) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes)
    case 'zstd':
      return zstdCompressSync(bytes)
  }
}
