// ----- key groups
const hashDouble = new Float64Array(1), hashWords = new Uint32Array(hashDouble.buffer)
function mix32(h) {
  h ^= h >>> 16; h = Math.imul(h, 0x7feb352d)
  h ^= h >>> 15; h = Math.imul(h, 0x846ca68b)
  return h ^ h >>> 16
}
function hashNumber(v) {
  if ((v | 0) === v) return mix32(v | 0)
  hashDouble[0] = v
  return mix32(hashWords[0] ^ mix32(hashWords[1]))
}
function hashString(s) {
  let h = 0x811c9dc5 | 0
  for (let i = 0, n = s.length; i < n; i++) h = Math.imul(h ^ s.charCodeAt(i), 0x01000193)
  return mix32(h)
}
return function groupKeys(rows, count, groups) {
  for (let i = 0; i < count; i++) {
    const r = rows[i]
    const k0 = r.id
    const k1 = r.channel
    groups[i] = mix32(Math.imul(hashNumber(k0), 31) + (k1 === null ? (0x9e3779b9 | 0) : hashString(k1)) | 0) & 127
  }
}
