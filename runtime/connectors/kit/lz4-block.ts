/**
 * LZ4 Block Format (lz4_Block_format.md of lz4/lz4): literals and matches in turn. Nothing is written behind `length`;
 * the result is shorter when the bytes end before. Throws RangeError for bytes that are none.
 */
export function unpackLz4Block(bytes: Uint8Array, length: number): Uint8Array {
  const output = Buffer.alloc(length)
  let at = 0
  let to = 0
  const more = (nibble: number): number => {
    let total = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; total += byte) byte = bytes[at++] ?? 0
    return total
  }
  while (at < bytes.length) {
    const token = bytes[at++] ?? 0
    const literals = more(token >>> 4)
    if (literals > bytes.length - at || literals > length - to) throw new RangeError('literals of LZ4 have no end')
    output.set(bytes.subarray(at, at + literals), to)
    at += literals
    to += literals
    if (at >= bytes.length) break
    const offset = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
    at += 2
    const match = more(token & 15) + 4
    if (offset === 0 || offset > to || match > length - to) throw new RangeError('a match of LZ4 lies outside')
    for (let from = to - offset, end = to + match; to < end; ) output[to++] = output[from++] ?? 0
  }
  return output.subarray(0, to)
}
