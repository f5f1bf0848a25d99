// ----- json writer
function word(b, p, s) { const n = s.length; for (let i = 0; i < n; i++) b[p + i] = s.charCodeAt(i); return p + n }
function integer(b, p, v) {
  if (v < 0) { b[p++] = 45; v = -v }
  if (v > 999999999) {
    const high = Math.floor(v / 1e9)
    p = integer(b, p, high)
    return nine(b, p, v - high * 1e9 | 0, 9)
  }
  const w = v | 0
  return nine(b, p, w, w < 10 ? 1 : w < 100 ? 2 : w < 1000 ? 3 : w < 10000 ? 4 : w < 100000 ? 5
    : w < 1000000 ? 6 : w < 10000000 ? 7 : w < 100000000 ? 8 : 9)
}
// Three decimals are enough for most. One number of at most 15 digits, and no other, is printed for a double (IEEE
// 754, 5.12.2), so it is the shortest.
function decimal(b, p, v) {
  const m = Math.round(v * 1000)
  if (m / 1000 !== v || m > 999999999999999 || m < -999999999999999) return word(b, p, '' + v)
  if (v < 0) b[p++] = 45
  const size = m < 0 ? -m : m, whole = Math.floor(size / 1000), rest = size - whole * 1000
  p = integer(b, p, whole)
  if (rest === 0) return p
  b[p++] = 46
  return rest % 100 === 0 ? nine(b, p, rest / 100, 1)
    : rest % 10 === 0 ? nine(b, p, rest / 10, 2) : nine(b, p, rest, 3)
}
function nine(b, p, w, n) {
  for (let k = p + n - 1; k >= p; k--) { const tens = w / 10 | 0; b[k] = 48 + w - tens * 10; w = tens }
  return p + n
}
let viewed, view
function quoted(b, p, s) {
  const n = s.length
  b[p] = 34
  if (n > 24) {
    let q = p + 1
    const end = q + n
    if (b.utf8Write(s, q) !== n) return p + b.utf8Write(quote(s), p)
    while (q + 4 <= end) { const x = view.getInt32(q); if (((x | (x ^ 0x22222222) - 0x01010101 | (x ^ 0x5c5c5c5c) - 0x01010101 | x - 0x20202020) & 0x80808080) !== 0) break; q += 4 }
    while (q < end && PLAIN[b[q]] === 1) q++
    if (q < end) return p + b.utf8Write(quote(s), p)
    b[end] = 34
    return end + 1
  }
  for (let i = 0, q = p + 1; i < n; i++, q++) {
    const c = s.charCodeAt(i)
    if (c > 127 || PLAIN[c] === 0) return p + b.utf8Write(quote(s), p)
    b[q] = c
  }
  b[p + n + 1] = 34
  return p + n + 2
}
let lastDay = NaN, date = ''
function iso(b, p, t) {
  const day = Math.floor(t / 86400000)
  b[p++] = 34
  if (day !== lastDay) { date = isoDate(t); lastDay = date === undefined ? NaN : day }
  if (date === undefined) p = word(b, p, '' + t)
  else {
    p = word(b, p, date)
    const ms = t - day * 86400000, s = ms / 1000 | 0, m = s / 60 | 0, h = m / 60 | 0
    b[p] = 84; p = nine(b, p + 1, h, 2)
    b[p] = 58; p = nine(b, p + 1, m - h * 60, 2)
    b[p] = 58; p = nine(b, p + 1, s - m * 60, 2)
    b[p] = 46; p = nine(b, p + 1, ms - s * 1000, 3)
    b[p++] = 90
  }
  b[p++] = 34
  return p
}
return function encodeInto(r, b, at) {
  const v0 = r.id
  const v1 = r.channel
  const v2 = r.price
  const v3 = r.sold
  const v4 = r.at
  const v5 = quote(r.tags)
  if (at + 242 + 6 * (v1 === null ? 0 : v1.length) + 6 * v5.length > b.length) return -1
  let p = at
  if (b !== viewed) {
    viewed = b
    view = new DataView(b.buffer, b.byteOffset, b.length)
  }
  view.setUint32(p, 2065852772)
  b[p + 4] = 34
  b[p + 5] = 58
  p += 6
  if (v0 - v0 !== 0) refuseNumber("id", v0)
  p = integer(b, p, v0)
  view.setUint32(p, 740451176)
  view.setUint32(p + 4, 1634627173)
  b[p + 8] = 108
  b[p + 9] = 34
  b[p + 10] = 58
  p += 11
  if (v1 === null) p = word(b, p, 'null')
  else {
    p = quoted(b, p, v1)
  }
  view.setUint32(p, 740454514)
  view.setUint32(p + 4, 1768121634)
  b[p + 8] = 58
  p += 9
  if ((v2 | 0) === v2) p = integer(b, p, v2)
  else {
    if (v2 - v2 !== 0) refuseNumber("price", v2)
    p = decimal(b, p, v2)
  }
  view.setUint32(p, 740455279)
  view.setUint32(p + 4, 1818501690)
  p += 8
  if (v3 === null) p = word(b, p, 'null')
  else {
    p = word(b, p, v3 ? 'true' : 'false')
  }
  view.setUint32(p, 740450676)
  b[p + 4] = 34
  b[p + 5] = 58
  p += 6
  if (v4 - v4 !== 0) refuseNumber("at", v4)
  p = iso(b, p, v4)
  view.setUint32(p, 740455521)
  view.setUint32(p + 4, 1735598650)
  p += 8
  p += b.utf8Write(v5, p)
  b[p++] = 125
  return p - at
}
