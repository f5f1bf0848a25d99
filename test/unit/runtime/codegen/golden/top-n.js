// ----- key
return function keyOf(r) {
  const v0 = r.channel
  return (v0 === null ? '~' : v0.length + ':' + v0)
}

// ----- key
return function keyOf(r) {
  const v0 = r.channel
  return (v0 === null ? '~' : v0.length + ':' + v0)
}

// ----- records
const FIXED = 72, LENGTHS = 17
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
const INTS = arena.i32, DOUBLES = arena.f64, BUFFERS = arena.buffer
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
  return (k0 === null ? ((ints[start + 16] & 1) !== 0) : !((ints[start + 16] & 1) !== 0) && sameText(segment, ints, start, head, 0, 0, (ints[start + 17] & 65535), k0))
}
function find(g, key, user) {
  const v = keys.values(key)
  const k0 = v[0]
  const h = Math.imul((k0 === null ? (0x9e3779b9 | 0) : hashString(k0)), 0x9e3779b1)
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
  const h = Math.imul((k0 === null ? (0x9e3779b9 | 0) : hashString(k0)), 0x9e3779b1)
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
  const k0 = ((ints[start + 16] & 1) !== 0) ? null : textAt(segment, start, head, 0, 0, (ints[start + 17] & 65535))
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
    const h = Math.imul((k0 === null ? (0x9e3779b9 | 0) : hashString(k0)), 0x9e3779b1)
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
  const h = Math.imul((k0 === null ? (0x9e3779b9 | 0) : hashString(k0)), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
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
  doubles[(start >> 1) + 1] = r.millrace_rank_count
  doubles[(start >> 1) + 2] = r.millrace_rank_value_0
  doubles[(start >> 1) + 3] = r.millrace_rank_value_1
  doubles[(start >> 1) + 4] = r.millrace_rank_value_2
  doubles[(start >> 1) + 5] = r.millrace_rank_slot_0
  doubles[(start >> 1) + 6] = r.millrace_rank_slot_1
  doubles[(start >> 1) + 7] = r.millrace_rank_slot_2
  ints[start + 16] = (r.channel === null ? 1 : 0)
  if (box !== 0) ints[start + 17] = written
  else {
    ints[start + 17] = t0.length
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
function key(a) { return keys.of(row(a)) }
function claims(a, bytes) {
  if (bytes < 72) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  if (head & BOXED) return ints[start + 17] >>> 0
  return (ints[start + 17] & 65535)
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  let t0
  if (head & BOXED) [t0] = boxOf(segment, start)
  else {
    const e0 = (ints[start + 17] & 65535)
    const b = (start << 2) + FIXED
    const s = e0 === 0
      ? ''
      : head & ONE_BYTE
        ? BUFFERS[segment].latin1Slice(b, b + e0)
        : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head))
    t0 = s.slice(0, e0)
  }
  return new Row(((ints[start + 16] & 1) !== 0) ? null : t0, doubles[(start >> 1) + 1], doubles[(start >> 1) + 2], doubles[(start >> 1) + 3], doubles[(start >> 1) + 4], doubles[(start >> 1) + 5], doubles[(start >> 1) + 6], doubles[(start >> 1) + 7])
}
const COUNT = 1, SLOTS = 5, MOST = 3
let entry = 0
function offer(g, r0, at, since) {
  const k0 = r0.channel
  const v0 = r0.price
  return offerKey(g, k0, v0, at, since)
}
function offerKey(g, k0, v0, at, since) {
  if (arena.debt) arena.maintain()
  const h = Math.imul((k0 === null ? (0x9e3779b9 | 0) : hashString(k0)), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  if (a === 0) {
    const r = new Entry(k0, 0, 0, 0, 0, 0, 0, 0)
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
    doubles[(start >> 1) + 1] = r.millrace_rank_count
    doubles[(start >> 1) + 2] = r.millrace_rank_value_0
    doubles[(start >> 1) + 3] = r.millrace_rank_value_1
    doubles[(start >> 1) + 4] = r.millrace_rank_value_2
    doubles[(start >> 1) + 5] = r.millrace_rank_slot_0
    doubles[(start >> 1) + 6] = r.millrace_rank_slot_1
    doubles[(start >> 1) + 7] = r.millrace_rank_slot_2
    ints[start + 16] = (r.channel === null ? 1 : 0)
    if (box !== 0) ints[start + 17] = written
    else {
      ints[start + 17] = t0.length
    }
    g.n++
    index[i] = h
    arena.end[segment] = offset + bytes
    index[i + 1] = segment << 15 | offset >> 3
    a = index[i + 1]
  }
  entry = a
  {
    const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
    const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
    const p = start >> 1
    if (doubles[p + COUNT] === MOST && !(v0 > doubles[p + 2 + MOST - 1])) return -1
  }
  entry = a = index[i + 1] = arena.own(g, a)
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const p = start >> 1
  let c = doubles[p + COUNT]
  let k = c
  while (k > 0 && v0 > doubles[p + 2 + k - 1]) k--
  const slot = c < MOST ? c : doubles[p + SLOTS + MOST - 1]
  if (c < MOST) c++
  for (let j = c - 1; j > k; j--) {
    doubles[p + 2 + j] = doubles[p + 2 + j - 1]
    doubles[p + SLOTS + j] = doubles[p + SLOTS + j - 1]
  }
  doubles[p + 2 + k] = v0
  doubles[p + COUNT] = c
  doubles[p + SLOTS + k] = slot
  return k
}
function select(record) {
  entry = record
}
function ranked() {
  const a = entry
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + COUNT]
}
function slot(place) {
  const a = entry
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + SLOTS + place]
}
const loop = { offer, offerKey, select, ranked, slot }
return { find, look, findOf, touch, put, row, key, user, at, seq, claims, loop }

// ----- key
return function keyOf(r) { return r.slot + 0 }

// ----- key
return function keyOf(r) {
  const v0 = r.channel
  return (v0 === null ? '~' : v0.length + ':' + v0)
}

// ----- records
const FIXED = 60, LENGTHS = 13
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
const INTS = arena.i32, DOUBLES = arena.f64, BUFFERS = arena.buffer
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
  return sameText(segment, ints, start, head, 0, 0, (ints[start + 13] & 65535), k0) && doubles[(start >> 1) + 2] === u0
}
function find(g, key, user) {
  const k0 = key
  const u0 = user
  const h = Math.imul(mix32(Math.imul(hashString(k0), 31) + hashNumber(u0) | 0), 0x9e3779b1)
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
  const h = Math.imul(mix32(Math.imul(hashString(k0), 31) + hashNumber(u0) | 0), 0x9e3779b1)
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
  const k0 = textAt(segment, start, head, 0, 0, (ints[start + 13] & 65535))
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
  const h = Math.imul(mix32(Math.imul(hashString(k0), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  const t0 = k0
  const t1 = r.channel === null ? '' : r.channel
  const t2 = quote(r.tags)
  let s = t0 + t1 + t2, box = 0
  if (s.length > 65535 && (t0.length > 65535 || t1.length > 65535 || t2.length > 65535)) {
    s = quote([t0, t1, t2])
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
    s = quote([t0, t1, t2])
    box = BOXED
  }
  const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
  const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
  ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = seq
  doubles[(start >> 1) + 2] = u0
  doubles[(start >> 1) + 3] = r.id
  doubles[(start >> 1) + 4] = r.price
  doubles[(start >> 1) + 5] = r.at
  ints[start + 12] = (r.channel === null ? 1 : 0)
  if (box !== 0) ints[start + 13] = written
  else {
    ints[start + 13] = t0.length | t1.length << 16
    ints[start + 14] = t2.length
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
  return 0
}
function seq(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 1]
}
function user(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return doubles[(start >> 1) + 2]
}
function key(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  return textAt(segment, start, head, 0, 0, (ints[start + 13] & 65535))
}
function claims(a, bytes) {
  if (bytes < 60) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  if (head & BOXED) return ints[start + 13] >>> 0
  return (ints[start + 13] & 65535) + (ints[start + 13] >>> 16) + (ints[start + 14] & 65535)
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  let t0, t1, t2
  if (head & BOXED) [t0, t1, t2] = boxOf(segment, start)
  else {
    const e0 = (ints[start + 13] & 65535)
    const e1 = e0 + (ints[start + 13] >>> 16)
    const e2 = e1 + (ints[start + 14] & 65535)
    const b = (start << 2) + FIXED
    const s = e2 === 0
      ? ''
      : head & ONE_BYTE
        ? BUFFERS[segment].latin1Slice(b, b + e2)
        : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head))
    t0 = s.slice(0, e0)
    t1 = s.slice(e0, e1)
    t2 = s.slice(e1, e2)
  }
  return new Row(doubles[(start >> 1) + 3], ((ints[start + 12] & 1) !== 0) ? null : t1, doubles[(start >> 1) + 4], doubles[(start >> 1) + 5], JSON.parse(t2))
}
return { find, look, findOf, touch, put, row, key, user, at, seq, claims }

// ----- key
return function keyOf(r) {
  const v0 = r.channel
  return (v0 === null ? '~' : v0.length + ':' + v0)
}

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
const INTS = arena.i32, DOUBLES = arena.f64, BUFFERS = arena.buffer
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
  return sameText(segment, ints, start, head, 0, 0, (ints[start + 7] & 65535), k0)
}
function find(g, key, user) {
  const k0 = key
  const h = Math.imul(hashString(k0), 0x9e3779b1)
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
  const h = Math.imul(hashString(k0), 0x9e3779b1)
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
  const k0 = textAt(segment, start, head, 0, 0, (ints[start + 7] & 65535))
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
    const h = Math.imul(hashString(k0), 0x9e3779b1)
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
  const h = Math.imul(hashString(k0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  const t0 = k0
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
  doubles[(start >> 1) + 1] = r.u
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
  const h = Math.imul(hashString(k0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0)) break
    i = i + 2 & mask
  }
  const t0 = k0
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
  doubles[(start >> 1) + 1] = r.u
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
  return textAt(segment, start, head, 0, 0, (ints[start + 7] & 65535))
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
  return new Row(doubles[(start >> 1) + 1], doubles[(start >> 1) + 2])
}
return { find, look, findOf, touch, put, row, key, user, at, seq, claims, append }

// ----- key
return function keyOf(r) {
  const v0 = r.channel
  return (v0 === null ? '~' : v0.length + ':' + v0)
}

// ----- ranked row
return (r, rank) => new Row(r.id, r.channel, r.price, r.at, r.tags, rank)

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
    const k0 = r.channel
    groups[i] = (k0 === null ? (0x9e3779b9 | 0) : hashString(k0)) & 127
  }
}
