// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- records
const FIXED = 28, LENGTHS = 7
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
  const k0 = key
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
  const k0 = key
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
    const k0 = key
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
  const k0 = key
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
  if (arena.end[segment] + 36 > arena.size[segment]) {
    arena.roll(g, 36)
    segment = g.seg
  }
  const offset = arena.end[segment]
  const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
  const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
  ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = k0
  doubles[(start >> 1) + 2] = r.price === null ? 0 : r.price
  ints[start + 6] = (r.price === null ? 1 : 0) | (r.isSold === true ? 2 : 0)
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
  return doubles[(start >> 1) + 1]
}
function claims(a, bytes) {
  if (bytes < 28) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return 0
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return new Row(((ints[start + 6] & 1) !== 0) ? null : doubles[(start >> 1) + 2], ((ints[start + 6] & 2) !== 0))
}
return { find, look, findOf, touch, put, row, key, user, at, seq, claims }

// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- records
const FIXED = 24, LENGTHS = 5
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
  const k0 = key
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
  const k0 = key
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
    const k0 = key
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
  const k0 = key
  const h = Math.imul(hashNumber(k0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  const t0 = r.channel
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
  doubles[(start >> 1) + 1] = k0
  ints[start + 4] = 0
  if (box !== 0) ints[start + 5] = written
  else {
    ints[start + 5] = t0.length
  }
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
function append(g, key, user, r, at, seq) {
  const k0 = key
  const h = Math.imul(hashNumber(k0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  const t0 = r.channel
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
  ints[start] = units | (a === 0 ? 0 : 1) << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = k0
  ints[start + 4] = a
  if (box !== 0) ints[start + 5] = written
  else {
    ints[start + 5] = t0.length
  }
  if (a === 0) {
    g.n++
    index[i] = h
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
  return doubles[(start >> 1) + 1]
}
function claims(a, bytes) {
  if (bytes < 24) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  if (head & BOXED) return ints[start + 5] >>> 0
  return (ints[start + 5] & 65535)
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  let t0
  if (head & BOXED) [t0] = boxOf(segment, start)
  else {
    const e0 = (ints[start + 5] & 65535)
    const b = (start << 2) + FIXED
    const s = e0 === 0
      ? ''
      : head & ONE_BYTE
        ? BUFFERS[segment].latin1Slice(b, b + e0)
        : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head))
    t0 = s.slice(0, e0)
  }
  return new Row(t0)
}
return { find, look, findOf, touch, put, row, key, user, at, seq, claims, append }

// ----- key
return function keyOf(r) { return r.channel }

// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- records
const FIXED = 44, LENGTHS = 10
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
function same(a, k0, u0) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 3] === k0 && sameText(segment, ints, start, head, 0, 0, (ints[start + 10] & 65535), u0)
}
function find(g, key, user) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + hashString(u0) | 0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function look(g, key, user) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + hashString(u0) | 0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function findOf(g, a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const k0 = doubles[(start >> 1) + 3]
  const u0 = textAt(segment, start, head, 0, 0, (ints[start + 10] & 65535))
  return place(g, ints[start + 1], k0, u0)
}
function place(g, h, k0, u0) {
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
const touched = new Int32Array(1024)
let seen = 0
function touch(groups, all, count, groupAt) {
  let sum = 0
  seen = sum
  return seen
}
function put(g, key, user, r, at, seq) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + hashString(u0) | 0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  const t0 = u0
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
  doubles[(start >> 1) + 2] = seq
  doubles[(start >> 1) + 3] = k0
  doubles[(start >> 1) + 4] = r.n
  if (box !== 0) ints[start + 10] = written
  else {
    ints[start + 10] = t0.length
  }
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
  return doubles[(start >> 1) + 1]
}
function seq(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 2]
}
function user(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return textAt(segment, start, head, 0, 0, (ints[start + 10] & 65535))
}
function key(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 3]
}
function claims(a, bytes) {
  if (bytes < 44) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  if (head & BOXED) return ints[start + 10] >>> 0
  return (ints[start + 10] & 65535)
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  let t0
  if (head & BOXED) [t0] = boxOf(segment, start)
  else {
    const e0 = (ints[start + 10] & 65535)
    const b = (start << 2) + FIXED
    const s = e0 === 0
      ? ''
      : head & ONE_BYTE
        ? BUFFERS[segment].latin1Slice(b, b + e0)
        : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head))
    t0 = s.slice(0, e0)
  }
  return new Row(doubles[(start >> 1) + 4])
}
return { find, look, findOf, touch, put, row, key, user, at, seq, claims }

// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- records
const FIXED = 32, LENGTHS = 7
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
  const k0 = key
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
  const k0 = key
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
    const k0 = key
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
  const k0 = key
  const h = Math.imul(hashNumber(k0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  const t0 = r.u
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
  doubles[(start >> 1) + 1] = k0
  doubles[(start >> 1) + 2] = r.seq
  ints[start + 6] = 0
  if (box !== 0) ints[start + 7] = written
  else {
    ints[start + 7] = t0.length
  }
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
function append(g, key, user, r, at, seq) {
  const k0 = key
  const h = Math.imul(hashNumber(k0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  const t0 = r.u
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
  ints[start] = units | (a === 0 ? 0 : 1) << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = k0
  doubles[(start >> 1) + 2] = r.seq
  ints[start + 6] = a
  if (box !== 0) ints[start + 7] = written
  else {
    ints[start + 7] = t0.length
  }
  if (a === 0) {
    g.n++
    index[i] = h
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
  return doubles[(start >> 1) + 1]
}
function claims(a, bytes) {
  if (bytes < 32) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  if (head & BOXED) return ints[start + 7] >>> 0
  return (ints[start + 7] & 65535)
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  let t0
  if (head & BOXED) [t0] = boxOf(segment, start)
  else {
    const e0 = (ints[start + 7] & 65535)
    const b = (start << 2) + FIXED
    const s = e0 === 0
      ? ''
      : head & ONE_BYTE
        ? BUFFERS[segment].latin1Slice(b, b + e0)
        : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head))
    t0 = s.slice(0, e0)
  }
  return new Row(t0, doubles[(start >> 1) + 2])
}
return { find, look, findOf, touch, put, row, key, user, at, seq, claims, append }

// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- records
const FIXED = 24, LENGTHS = 6
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
function same(a, k0, u0) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 1] === k0 && doubles[(start >> 1) + 2] === u0
}
function find(g, key, user) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function look(g, key, user) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function findOf(g, a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const k0 = doubles[(start >> 1) + 1]
  const u0 = doubles[(start >> 1) + 2]
  return place(g, ints[start + 1], k0, u0)
}
function place(g, h, k0, u0) {
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
const touched = new Int32Array(1024)
let seen = 0
function touch(groups, all, count, groupAt) {
  let sum = 0
  seen = sum
  return seen
}
function put(g, key, user, r, at, seq) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  const s = '', box = 0, written = 0
  let segment = g.seg
  if (arena.end[segment] + 32 > arena.size[segment]) {
    arena.roll(g, 32)
    segment = g.seg
  }
  const offset = arena.end[segment]
  const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
  const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
  ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = k0
  doubles[(start >> 1) + 2] = u0
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
  return doubles[(start >> 1) + 2]
}
function key(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 1]
}
function claims(a, bytes) {
  if (bytes < 24) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return 0
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return new Row()
}
return { find, look, findOf, touch, put, row, key, user, at, seq, claims }

// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- records
const FIXED = 24, LENGTHS = 6
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
function same(a, k0, u0) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 1] === k0 && doubles[(start >> 1) + 2] === u0
}
function find(g, key, user) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function look(g, key, user) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function findOf(g, a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const k0 = doubles[(start >> 1) + 1]
  const u0 = doubles[(start >> 1) + 2]
  return place(g, ints[start + 1], k0, u0)
}
function place(g, h, k0, u0) {
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
const touched = new Int32Array(1024)
let seen = 0
function touch(groups, all, count, groupAt) {
  let sum = 0
  seen = sum
  return seen
}
function put(g, key, user, r, at, seq) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashNumber(k0), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  const s = '', box = 0, written = 0
  let segment = g.seg
  if (arena.end[segment] + 32 > arena.size[segment]) {
    arena.roll(g, 32)
    segment = g.seg
  }
  const offset = arena.end[segment]
  const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
  const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
  ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = k0
  doubles[(start >> 1) + 2] = u0
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
  return doubles[(start >> 1) + 2]
}
function key(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 1]
}
function claims(a, bytes) {
  if (bytes < 24) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return 0
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return new Row()
}
return { find, look, findOf, touch, put, row, key, user, at, seq, claims }

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

// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- user row
return function makeRow(o) {
  if (typeof o !== 'object' || o === null) refuseObject(o)
  let v0 = o.id
  if (((v0 | 0) !== v0 && !Number.isSafeInteger(v0))) refuseField("id", "long", v0, o)
  return new Row(v0)
}

// ----- key
return function keyOf(r) { return r.id + 0 }

// ----- user row
return function makeRow(o) {
  if (typeof o !== 'object' || o === null) refuseObject(o)
  let v0 = o.price
  if (v0 === undefined) v0 = null
  else if (v0 !== null && (typeof v0 !== 'number' || v0 - v0 !== 0)) refuseField("price", "double", v0, o)
  let v1 = o.isSold
  if (typeof v1 !== 'boolean') refuseField("isSold", "boolean", v1, o)
  return new Row(v0, v1)
}

// ----- user row
return function makeRow(o) {
  if (typeof o !== 'object' || o === null) refuseObject(o)
  let v0 = o.channel
  if (typeof v0 !== 'string') refuseField("channel", "string", v0, o)
  return new Row(v0)
}

// ----- user row
return function makeRow(o) {
  if (typeof o !== 'object' || o === null) refuseObject(o)
  let v0 = o.n
  if (((v0 | 0) !== v0 && !Number.isSafeInteger(v0))) refuseField("n", "long", v0, o)
  return new Row(v0)
}

// ----- key
return function keyOf(r) { return r.channel }

// ----- user row
return function makeRow(o) {
  if (typeof o !== 'object' || o === null) refuseObject(o)
  let v0 = o.channel
  if (typeof v0 !== 'string') refuseField("channel", "string", v0, o)
  return new Row(v0)
}
