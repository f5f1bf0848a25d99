// ----- pattern condition
return function fits(r, c) {
  return (r.price < 1) === true
}

// ----- pattern condition
return function fits(r, c) {
  const v = viewOf(c)
  return (r.price > v.last[0].price) === true
}

// ----- pattern row
return function rowOf(c, time) {
  const v = viewOf(c), k = c.first.row, m = { start: c.first.time, time }, out = []
  const f0 = k.id
  const f1 = v.last[1].price
  out.push(new Row(f0, f1))
  return out[0]
}

// ----- pattern row
return function rowOf(c, time) {
  const v = viewOf(c), k = c.first.row, m = { start: c.first.time, time }, out = []
  const f0 = k.id
  const f1 = v.last[1].price
  out.push(new Row(f0, f1))
  return out[0]
}

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
    groups[i] = hashNumber(k0) & 127
  }
}

// ----- encode
return function encode(rows, n, stage) {
  const ints = stage.i32, words = stage.u32, doubles = stage.f64, shorts = stage.u16, bytes = stage.u8
  let at = 16, i = 0, v, base
  {
    const head = at
    at += 16
    words[(head >> 2) + 3] = 0
    let kind = 0
    base = 0
    const from = at >> 2
    for (i = 0; i < n; i++) {
      v = rows[i].id
      if ((v | 0) !== v) break
      ints[from + i] = v
    }
    if (i < n) {
      kind = 2
      base = Infinity
      for (i = 0; i < n; i++) {
        v = rows[i].id
        if (v < base) base = v
      }
      for (i = 0; i < n; i++) {
        v = rows[i].id
        v -= base
        if (v >>> 0 !== v) break
        words[from + i] = v
      }
      if (i < n) {
        kind = 1
        const fromDoubles = at >> 3
        for (i = 0; i < n; i++) {
          v = rows[i].id
          doubles[fromDoubles + i] = v
        }
      }
    }
    doubles[head >> 3] = base
    words[(head >> 2) + 2] = kind
    at += kind === 1 ? n * 8 : n * 4 + 7 & ~7
  }
  {
    const head = at
    at += 16
    words[(head >> 2) + 3] = 0
    let kind = 0
    base = 0
    const from = at >> 2
    for (i = 0; i < n; i++) {
      v = rows[i].price
      if ((v | 0) !== v) break
      ints[from + i] = v
    }
    if (i < n) {
      i = 0
      if (i < n) {
        kind = 1
        const fromDoubles = at >> 3
        for (i = 0; i < n; i++) {
          v = rows[i].price
          doubles[fromDoubles + i] = v
        }
      }
    }
    doubles[head >> 3] = base
    words[(head >> 2) + 2] = kind
    at += kind === 1 ? n * 8 : n * 4 + 7 & ~7
  }
  {
    const head = at
    at += 16
    words[(head >> 2) + 3] = 0
    let kind = 0
    base = 0
    const from = at >> 2
    for (i = 0; i < n; i++) {
      v = rows[i].at
      if ((v | 0) !== v) break
      ints[from + i] = v
    }
    if (i < n) {
      kind = 2
      base = Infinity
      for (i = 0; i < n; i++) {
        v = rows[i].at
        if (v < base) base = v
      }
      for (i = 0; i < n; i++) {
        v = rows[i].at
        v -= base
        if (v >>> 0 !== v) break
        words[from + i] = v
      }
      if (i < n) {
        kind = 1
        const fromDoubles = at >> 3
        for (i = 0; i < n; i++) {
          v = rows[i].at
          doubles[fromDoubles + i] = v
        }
      }
    }
    doubles[head >> 3] = base
    words[(head >> 2) + 2] = kind
    at += kind === 1 ? n * 8 : n * 4 + 7 & ~7
  }
  let blob = ''
  {
    const head = at
    at += 16
    words[(head >> 2) + 3] = 0
    let nulls = false
    for (i = 0; i < n; i++) {
      if (rows[i].channel === null) {
        nulls = true
        break
      }
    }
    if (nulls) {
      words[(head >> 2) + 3] = 1
      const size = (n + 63 >> 6) << 3
      bytes.fill(0, at, at + size)
      for (; i < n; i++) if (rows[i].channel === null) bytes[at + (i >> 3)] |= 1 << (i & 7)
      at += size
    }
    const before = blob, start = blob.length
    let kind = 0
    const from = at >> 1
    for (i = 0; i < n; i++) {
      v = rows[i].channel
      v = v === null ? '' : v
      base = v.length
      if (base > 65535) break
      shorts[from + i] = base
      blob += v
    }
    if (i < n) {
      kind = 1
      blob = before
      const fromWords = at >> 2
      for (i = 0; i < n; i++) {
        v = rows[i].channel
        v = v === null ? '' : v
        words[fromWords + i] = v.length
        blob += v
      }
    }
    words[head >> 2] = blob.length - start
    words[(head >> 2) + 1] = 0
    words[(head >> 2) + 2] = kind
    at += kind === 1 ? n * 4 + 7 & ~7 : n * 2 + 7 & ~7
  }
  {
    const head = at
    at += 16
    words[(head >> 2) + 3] = 0
    const before = blob, start = blob.length
    let kind = 0
    const from = at >> 1
    for (i = 0; i < n; i++) {
      v = rows[i].tags
      v = quote(v)
      base = v.length
      if (base > 65535) break
      shorts[from + i] = base
      blob += v
    }
    if (i < n) {
      kind = 1
      blob = before
      const fromWords = at >> 2
      for (i = 0; i < n; i++) {
        v = rows[i].tags
        v = quote(v)
        words[fromWords + i] = v.length
        blob += v
      }
    }
    words[head >> 2] = blob.length - start
    words[(head >> 2) + 1] = 0
    words[(head >> 2) + 2] = kind
    at += kind === 1 ? n * 4 + 7 & ~7 : n * 2 + 7 & ~7
  }
  return stage.finish(n, blob, at)
}

// ----- decode
return function decode(stage, out) {
  const ints = stage.i32, words = stage.u32, doubles = stage.f64, shorts = stage.u16, bytes = stage.u8
  const end = stage.size
  if (end < 16) corrupt('the frame has ' + end + ' bytes, a header has 16')
  const n = words[0]
  if (n > 16777216) corrupt('it claims ' + n + ' rows')
  let at = 16, chars = 0
  if (at + 16 > end) corrupt('a column header lies beyond its end')
  const base0 = doubles[at >> 3]
  const kind0 = words[(at >> 2) + 2], hasNulls0 = words[(at >> 2) + 3]
  at += 16
  if (kind0 > 2 || hasNulls0 > 1) corrupt('a column is of an unknown kind')
  if (hasNulls0 === 1) corrupt('a column that may not be null has nulls')
  const from0 = kind0 === 1 ? at >> 3 : at >> 2
  at += kind0 === 1 ? n * 8 : n * 4 + 7 & ~7
  if (at > end) corrupt('a column lies beyond its end')
  if (at + 16 > end) corrupt('a column header lies beyond its end')
  const base1 = doubles[at >> 3]
  const kind1 = words[(at >> 2) + 2], hasNulls1 = words[(at >> 2) + 3]
  at += 16
  if (kind1 > 2 || hasNulls1 > 1) corrupt('a column is of an unknown kind')
  if (hasNulls1 === 1) corrupt('a column that may not be null has nulls')
  const from1 = kind1 === 1 ? at >> 3 : at >> 2
  at += kind1 === 1 ? n * 8 : n * 4 + 7 & ~7
  if (at > end) corrupt('a column lies beyond its end')
  if (at + 16 > end) corrupt('a column header lies beyond its end')
  const base2 = doubles[at >> 3]
  const kind2 = words[(at >> 2) + 2], hasNulls2 = words[(at >> 2) + 3]
  at += 16
  if (kind2 > 2 || hasNulls2 > 1) corrupt('a column is of an unknown kind')
  if (hasNulls2 === 1) corrupt('a column that may not be null has nulls')
  const from2 = kind2 === 1 ? at >> 3 : at >> 2
  at += kind2 === 1 ? n * 8 : n * 4 + 7 & ~7
  if (at > end) corrupt('a column lies beyond its end')
  if (at + 16 > end) corrupt('a column header lies beyond its end')
  const chars3 = words[at >> 2]
  chars += chars3
  const kind3 = words[(at >> 2) + 2], hasNulls3 = words[(at >> 2) + 3]
  at += 16
  if (kind3 > 1 || hasNulls3 > 1) corrupt('a column is of an unknown kind')
  let nulls3 = -1
  if (hasNulls3 === 1) {
    nulls3 = at
    at += (n + 63 >> 6) << 3
  }
  const from3 = kind3 === 1 ? at >> 2 : at >> 1
  at += kind3 === 1 ? n * 4 + 7 & ~7 : n * 2 + 7 & ~7
  if (at > end) corrupt('a column lies beyond its end')
  if (at + 16 > end) corrupt('a column header lies beyond its end')
  const chars4 = words[at >> 2]
  chars += chars4
  const kind4 = words[(at >> 2) + 2], hasNulls4 = words[(at >> 2) + 3]
  at += 16
  if (kind4 > 1 || hasNulls4 > 1) corrupt('a column is of an unknown kind')
  if (hasNulls4 === 1) corrupt('a column that may not be null has nulls')
  const from4 = kind4 === 1 ? at >> 2 : at >> 1
  at += kind4 === 1 ? n * 4 + 7 & ~7 : n * 2 + 7 & ~7
  if (at > end) corrupt('a column lies beyond its end')
  const blob = stage.blob(at, chars)
  let text3 = 0
  const stop3 = text3 + chars3
  let text4 = text3 + chars3
  const stop4 = text4 + chars4
  let start
  for (let i = 0; i < n; i++) {
    const v0 = kind0 === 0 ? ints[from0 + i] : kind0 === 1 ? doubles[from0 + i] : base0 + words[from0 + i]
    start = text3
    text3 += kind3 === 0 ? shorts[from3 + i] : words[from3 + i]
    const v3 = nulls3 >= 0 && (bytes[nulls3 + (i >> 3)] & 1 << (i & 7)) !== 0 ? null : blob.slice(start, text3)
    const v1 = kind1 === 0 ? ints[from1 + i] : kind1 === 1 ? doubles[from1 + i] : base1 + words[from1 + i]
    const v2 = kind2 === 0 ? ints[from2 + i] : kind2 === 1 ? doubles[from2 + i] : base2 + words[from2 + i]
    start = text4
    text4 += kind4 === 0 ? shorts[from4 + i] : words[from4 + i]
    const v4 = parse(blob.slice(start, text4))
    out[i] = new Row(v0, v3, v1, v2, v4)
  }
  if (text3 !== stop3) corrupt('the lengths of a string column do not add up')
  if (text4 !== stop4) corrupt('the lengths of a string column do not add up')
  return n
}

// ----- key
return function keyOf(r) { return r.id + 0 }
