// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- records
const FIXED = 16, LENGTHS = 4
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
function same(a, k0) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 1] === k0
}
function find(g, key, user) {
  const v = keys.values(key)
  const k0 = v[0]
  const h = Math.imul(hashNumber(k0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function look(g, key, user) {
  const v = keys.values(key)
  const k0 = v[0]
  const h = Math.imul(hashNumber(k0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function findOf(g, a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const k0 = doubles[(start >> 1) + 1]
  return place(g, ints[start + 1], k0)
}
function place(g, h, k0) {
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
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
    const h = Math.imul(hashNumber(k0), 0x9e3779b1)
    const g = groupAt(groups[j])
    touched[j] = g.index[(h >>> g.shift << 1) + 1]
  }
  for (let j = 0; j < count; j++) {
    const a = touched[j]
    if (a !== 0) sum ^= INTS[a >>> 15][arena.base[a >>> 15] + ((a & 32767) << 1)]
  }
  seen = sum
  return seen
}
function put(g, key, user, r, at, seq) {
  const v = keys.values(key)
  const k0 = v[0]
  const h = Math.imul(hashNumber(k0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  const s = '', box = 0, written = 0
  let segment = g.seg
  if (arena.end[segment] + 24 > arena.size[segment]) {
    arena.roll(g, 24)
    segment = g.seg
  }
  const offset = arena.end[segment]
  const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
  const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
  ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = r.id
  if (a === 0) {
    g.n++
    index[i] = h
  } else {
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
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return 0
}
function seq(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return 0
}
function user(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return 0
}
function key(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const k0 = doubles[(start >> 1) + 1]
  return k0
}
function claims(a, bytes) {
  if (bytes < 16) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return 0
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return new Row(doubles[(start >> 1) + 1])
}
const hashes = new Int32Array(1024), addresses = new Int32Array(1024), groupsOf = []
let looked = 0
function keep(rows, count, groups, groupAt, at, since, out) {
  let n = out.length, sum = 0
  for (let j = 0; j < count; j++) {
    const r = rows[j]
    const k0 = r.id
    const h = Math.imul(hashNumber(k0), 0x9e3779b1)
    const g = groupAt(groups[j])
    groupsOf[j] = g
    hashes[j] = h
    addresses[j] = g.index[(h >>> g.shift << 1) + 1]
  }
  for (let j = 0; j < count; j++) {
    const a = addresses[j]
    if (a !== 0) sum ^= INTS[a >>> 15][arena.base[a >>> 15] + ((a & 32767) << 1)]
  }
  looked = sum
  for (let j = 0; j < count; j++) {
    const r = rows[j], g = groupsOf[j], h = hashes[j]
    const k0 = r.id
    if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
    const index = g.index, mask = index.length - 1
    let i = h >>> g.shift << 1, a
    while ((a = index[i + 1]) !== 0) {
      if (index[i] === h && same(a, k0)) break
      i = i + 2 & mask
    }
    if (a !== 0) {
      const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
      const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
      continue
    }
    const s = '', box = 0, written = 0
    let segment = g.seg
    if (arena.end[segment] + 24 > arena.size[segment]) {
      arena.roll(g, 24)
      segment = g.seg
    }
    const offset = arena.end[segment]
    const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
    const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
    ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
    ints[start + 1] = h
    doubles[(start >> 1) + 1] = r.id
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
    groups[i] = hashNumber(k0) & 127
  }
}
