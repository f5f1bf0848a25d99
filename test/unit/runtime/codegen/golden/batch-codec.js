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
    let nulls = false
    for (i = 0; i < n; i++) {
      if (rows[i].sold === null) {
        nulls = true
        break
      }
    }
    if (nulls) {
      words[(head >> 2) + 3] = 1
      const size = (n + 63 >> 6) << 3
      bytes.fill(0, at, at + size)
      for (; i < n; i++) if (rows[i].sold === null) bytes[at + (i >> 3)] |= 1 << (i & 7)
      at += size
    }
    words[(head >> 2) + 2] = 0
    doubles[head >> 3] = 0
    for (i = 0; i < n; i++) bytes[at + i] = rows[i].sold === true ? 1 : 0
    at += n + 7 & ~7
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
  let nulls2 = -1
  if (hasNulls2 === 1) {
    nulls2 = at
    at += (n + 63 >> 6) << 3
  }
  const from2 = at
  at += n + 7 & ~7
  if (at > end) corrupt('a column lies beyond its end')
  if (at + 16 > end) corrupt('a column header lies beyond its end')
  const base3 = doubles[at >> 3]
  const kind3 = words[(at >> 2) + 2], hasNulls3 = words[(at >> 2) + 3]
  at += 16
  if (kind3 > 2 || hasNulls3 > 1) corrupt('a column is of an unknown kind')
  if (hasNulls3 === 1) corrupt('a column that may not be null has nulls')
  const from3 = kind3 === 1 ? at >> 3 : at >> 2
  at += kind3 === 1 ? n * 8 : n * 4 + 7 & ~7
  if (at > end) corrupt('a column lies beyond its end')
  if (at + 16 > end) corrupt('a column header lies beyond its end')
  const chars4 = words[at >> 2]
  chars += chars4
  const kind4 = words[(at >> 2) + 2], hasNulls4 = words[(at >> 2) + 3]
  at += 16
  if (kind4 > 1 || hasNulls4 > 1) corrupt('a column is of an unknown kind')
  let nulls4 = -1
  if (hasNulls4 === 1) {
    nulls4 = at
    at += (n + 63 >> 6) << 3
  }
  const from4 = kind4 === 1 ? at >> 2 : at >> 1
  at += kind4 === 1 ? n * 4 + 7 & ~7 : n * 2 + 7 & ~7
  if (at > end) corrupt('a column lies beyond its end')
  if (at + 16 > end) corrupt('a column header lies beyond its end')
  const chars5 = words[at >> 2]
  chars += chars5
  const kind5 = words[(at >> 2) + 2], hasNulls5 = words[(at >> 2) + 3]
  at += 16
  if (kind5 > 1 || hasNulls5 > 1) corrupt('a column is of an unknown kind')
  if (hasNulls5 === 1) corrupt('a column that may not be null has nulls')
  const from5 = kind5 === 1 ? at >> 2 : at >> 1
  at += kind5 === 1 ? n * 4 + 7 & ~7 : n * 2 + 7 & ~7
  if (at > end) corrupt('a column lies beyond its end')
  const blob = stage.blob(at, chars)
  let text4 = 0
  const stop4 = text4 + chars4
  let text5 = text4 + chars4
  const stop5 = text5 + chars5
  let start
  for (let i = 0; i < n; i++) {
    const v0 = kind0 === 0 ? ints[from0 + i] : kind0 === 1 ? doubles[from0 + i] : base0 + words[from0 + i]
    start = text4
    text4 += kind4 === 0 ? shorts[from4 + i] : words[from4 + i]
    const v4 = nulls4 >= 0 && (bytes[nulls4 + (i >> 3)] & 1 << (i & 7)) !== 0 ? null : blob.slice(start, text4)
    const v1 = kind1 === 0 ? ints[from1 + i] : kind1 === 1 ? doubles[from1 + i] : base1 + words[from1 + i]
    const v2 = nulls2 >= 0 && (bytes[nulls2 + (i >> 3)] & 1 << (i & 7)) !== 0 ? null : bytes[from2 + i] === 1
    const v3 = kind3 === 0 ? ints[from3 + i] : kind3 === 1 ? doubles[from3 + i] : base3 + words[from3 + i]
    start = text5
    text5 += kind5 === 0 ? shorts[from5 + i] : words[from5 + i]
    const v5 = parse(blob.slice(start, text5))
    out[i] = new Row(v0, v4, v1, v2, v3, v5)
  }
  if (text4 !== stop4) corrupt('the lengths of a string column do not add up')
  if (text5 !== stop5) corrupt('the lengths of a string column do not add up')
  return n
}
