// ----- key
return function keyOf(r) {
  const v0 = r.id
  const v1 = r.channel
  return (v0 + ';') + (v1 === null ? '~' : v1.length + ':' + v1)
}

// ----- key
return function keyOf(r) {
  const v0 = r.id
  const v1 = r.channel
  return (v0 + ';') + (v1 === null ? '~' : v1.length + ':' + v1)
}

// ----- records
const FIXED = 40, LENGTHS = 9
const BOXED = 8388608, ONE_BYTE = 4194304, UNITS = 1048575
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
const INTS = arena.i32, DOUBLES = arena.f64, BUFFERS = arena.buffer, VIEWS = arena.view
function boxOf(segment, start) {
  const b = (start << 2) + FIXED
  return JSON.parse(BUFFERS[segment].utf8Slice(b, b + INTS[segment][start + LENGTHS]))
}
function sameText(segment, ints, start, head, j, from, length, text) {
  if (head & BOXED) return boxOf(segment, start)[j] === text
  if (length !== text.length) return false
  const buffer = BUFFERS[segment], b = (start << 2) + FIXED + from
  if (!(head & ONE_BYTE)) return textAt(segment, start, head, j, from, length) === text
  if (length > 48) return buffer.latin1Slice(b, b + length) === text
  for (let c = 0; c < length; c++) if (buffer[b + c] !== text.charCodeAt(c)) return false
  return true
}
function endOf(segment, start, head) {
  const units = head & UNITS
  return units === 0 ? (arena.base[segment] << 2) + arena.end[segment] : (start << 2) + units * 8
}
function textAt(segment, start, head, j, from, length) {
  if (head & BOXED) return boxOf(segment, start)[j]
  const b = (start << 2) + FIXED
  return head & ONE_BYTE
    ? BUFFERS[segment].latin1Slice(b + from, b + from + length)
    : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head)).slice(from, from + length)
}
function same(a, k0, k1) {
  if (arena.base[a >>> 15] < 0) a = arena.load(a)
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 2] === k0 && (k1 === null ? ((ints[start + 8] & 1) !== 0) : !((ints[start + 8] & 1) !== 0) && sameText(segment, ints, start, head, 0, 0, (ints[start + 9] & 65535), k1))
}
function find(g, key, user) {
  const v = keys.values(key)
  const k0 = v[0]
  const k1 = v[1]
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + (k1 === null ? (0x9e3779b9 | 0) : hashString(k1)) | 0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, k1)) break
    i = i + 2 & mask
  }
  if (a !== 0 && arena.base[a >>> 15] < 0) a = index[i + 1] = arena.promote(g, a)
  return a === 0 ? -1 : i
}
function look(g, key, user) {
  const v = keys.values(key)
  const k0 = v[0]
  const k1 = v[1]
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + (k1 === null ? (0x9e3779b9 | 0) : hashString(k1)) | 0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, k1)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function findOf(g, a) {
  if (arena.base[a >>> 15] < 0) a = arena.load(a)
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const k0 = doubles[(start >> 1) + 2]
  const k1 = ((ints[start + 8] & 1) !== 0) ? null : textAt(segment, start, head, 0, 0, (ints[start + 9] & 65535))
  return place(g, ints[start + 1], k0, k1)
}
function place(g, h, k0, k1) {
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, k1)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
const touched = new Int32Array(1024)
let seen = 0
function touch(groups, all, count, groupAt) {
  let sum = 0
  for (let j = 0; j < count; j++) {
    const key = all[j]
    const v = keys.values(key)
    const k0 = v[0]
    const k1 = v[1]
    const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + (k1 === null ? (0x9e3779b9 | 0) : hashString(k1)) | 0), 0x9e3779b1)
    const g = groupAt(groups[j])
    touched[j] = g.index[(h >>> g.shift << 1) + 1]
  }
  for (let j = 0; j < count; j++) {
    const a = touched[j]
    if (a !== 0 && arena.base[a >>> 15] >= 0) sum ^= INTS[a >>> 15][arena.base[a >>> 15] + ((a & 32767) << 1)]
  }
  seen = sum
  return seen
}
function put(g, key, user, r, at, seq) {
  const v = keys.values(key)
  const k0 = v[0]
  const k1 = v[1]
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + (k1 === null ? (0x9e3779b9 | 0) : hashString(k1)) | 0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, k1)) break
    i = i + 2 & mask
  }
  const t0 = r.channel === null ? '' : r.channel
  let s = t0, box = 0
  if (s.length > 65535) {
    s = quote([t0])
    box = BOXED
  }
  let segment, offset, written
  for (;;) {
    const need = FIXED + 8 + (s.length < 16384 ? s.length * 3 : bytesOf(s))
    segment = g.seg
    if (arena.end[segment] + need > arena.size[segment]) {
      arena.roll(g, need)
      segment = g.seg
    }
    offset = arena.end[segment]
    written = s.length === 0 ? 0 : BUFFERS[segment].utf8Write(s, (arena.base[segment] << 2) + offset + FIXED)
    if (written === s.length || box !== 0 || s.isWellFormed()) break
    s = quote([t0])
    box = BOXED
  }
  const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
  const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
  ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = at
  doubles[(start >> 1) + 2] = r.id
  doubles[(start >> 1) + 3] = r.at
  ints[start + 8] = (r.channel === null ? 1 : 0)
  if (box !== 0) ints[start + 9] = written
  else {
    ints[start + 9] = t0.length
  }
  if (a === 0) {
    g.n++
    index[i] = h
  } else if (arena.base[a >>> 15] < 0) arena.kill(a >>> 15, arena.recordBytes(a)); else {
    const oldSegment = a >>> 15, oldInts = INTS[oldSegment]
    const oldStart = arena.base[oldSegment] + ((a & 32767) << 1), oldUnits = oldInts[oldStart] & UNITS
    if ((a & 32767) << 3 >= arena.frozen[oldSegment] && units !== 0 && units <= oldUnits && oldUnits <= units * 2) {
      const head = ints[start] & ~UNITS | oldUnits
      for (let c = 1; c < units * 2; c++) oldInts[oldStart + c] = ints[start + c]
      oldInts[oldStart] = head
      return
    }
    arena.kill(oldSegment, oldUnits === 0 ? arena.end[oldSegment] : oldUnits * 8)
  }
  arena.end[segment] = offset + bytes
  index[i + 1] = segment << 15 | offset >> 3
  if (arena.debt) arena.maintain()
}
function at(a) {
  if (arena.base[a >>> 15] < 0) a = arena.load(a)
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 1]
}
function seq(a) {
  if (arena.base[a >>> 15] < 0) a = arena.load(a)
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return 0
}
function user(a) {
  if (arena.base[a >>> 15] < 0) a = arena.load(a)
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return 0
}
function key(a) { return keys.of(row(a)) }
function claims(a, bytes) {
  if (bytes < 40) return -1
  if (arena.base[a >>> 15] < 0) a = arena.load(a)
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  if (head & BOXED) return ints[start + 9] >>> 0
  return (ints[start + 9] & 65535)
}
function row(a) {
  if (arena.base[a >>> 15] < 0) a = arena.load(a)
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  let t0
  if (head & BOXED) [t0] = boxOf(segment, start)
  else {
    const e0 = (ints[start + 9] & 65535)
    const b = (start << 2) + FIXED
    const s = e0 === 0
      ? ''
      : head & ONE_BYTE
        ? BUFFERS[segment].latin1Slice(b, b + e0)
        : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head))
    t0 = s.slice(0, e0)
  }
  return new Row(doubles[(start >> 1) + 2], ((ints[start + 8] & 1) !== 0) ? null : t0, doubles[(start >> 1) + 3])
}
const hashes = new Int32Array(1024), addresses = new Int32Array(1024), groupsOf = []
let looked = 0
function keep(rows, count, groups, groupAt, at, since, out) {
  let n = out.length, sum = 0
  for (let j = 0; j < count; j++) {
    const r = rows[j]
    const k0 = r.id
    const k1 = r.channel
    const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + (k1 === null ? (0x9e3779b9 | 0) : hashString(k1)) | 0), 0x9e3779b1)
    const g = groupAt(groups[j])
    groupsOf[j] = g
    hashes[j] = h
    addresses[j] = g.index[(h >>> g.shift << 1) + 1]
  }
  for (let j = 0; j < count; j++) {
    const a = addresses[j]
    if (a !== 0 && arena.base[a >>> 15] >= 0) sum ^= INTS[a >>> 15][arena.base[a >>> 15] + ((a & 32767) << 1)]
  }
  looked = sum
  for (let j = 0; j < count; j++) {
    if (arena.debt) arena.maintain()
    const r = rows[j], g = groupsOf[j], h = hashes[j]
    const k0 = r.id
    const k1 = r.channel
    if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
    const index = g.index, mask = index.length - 1
    let i = h >>> g.shift << 1, a
    while ((a = index[i + 1]) !== 0) {
      if (index[i] === h && same(a, k0, k1)) break
      i = i + 2 & mask
    }
    if (a !== 0 && arena.base[a >>> 15] < 0) a = index[i + 1] = arena.promote(g, a)
    const v0 = r.at
    if (a !== 0) {
      const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
      const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
      if (doubles[(start >> 1) + 1] > since && doubles[(start >> 1) + 3] > v0) continue
      {
        a = index[i + 1] = arena.own(g, a)
        const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
        const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
        doubles[(start >> 1) + 3] = v0
        doubles[(start >> 1) + 1] = at
      }
      if (arena.debt) arena.maintain()
      out[n++] = r
      continue
    }
    const t0 = r.channel === null ? '' : r.channel
    let s = t0, box = 0
    if (s.length > 65535) {
      s = quote([t0])
      box = BOXED
    }
    let segment, offset, written
    for (;;) {
      const need = FIXED + 8 + (s.length < 16384 ? s.length * 3 : bytesOf(s))
      segment = g.seg
      if (arena.end[segment] + need > arena.size[segment]) {
        arena.roll(g, need)
        segment = g.seg
      }
      offset = arena.end[segment]
      written = s.length === 0 ? 0 : BUFFERS[segment].utf8Write(s, (arena.base[segment] << 2) + offset + FIXED)
      if (written === s.length || box !== 0 || s.isWellFormed()) break
      s = quote([t0])
      box = BOXED
    }
    const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
    const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
    ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
    ints[start + 1] = h
    doubles[(start >> 1) + 1] = at
    doubles[(start >> 1) + 2] = r.id
    doubles[(start >> 1) + 3] = v0
    ints[start + 8] = (r.channel === null ? 1 : 0)
    if (box !== 0) ints[start + 9] = written
    else {
      ints[start + 9] = t0.length
    }
    g.n++
    index[i] = h
    arena.end[segment] = offset + bytes
    index[i + 1] = segment << 15 | offset >> 3
    if (arena.debt) arena.maintain()
    out[n++] = r
  }
  return looked
}
const loop = { keep }
return { find, look, findOf, touch, put, row, key, user, at, seq, claims, loop }

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
