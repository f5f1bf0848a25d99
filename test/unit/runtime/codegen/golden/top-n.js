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
  let slot = c
  if (c === MOST) slot = doubles[p + SLOTS + MOST - 1]
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
  const p = start >> 1
  return doubles[p + SLOTS + place] | 0
}
function links(first, into) {
  const a = entry
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const p = start >> 1
  const end = doubles[p + COUNT]
  for (let j = first; j < end; j++) into[j] = ints[(p + SLOTS + j) * 2]
  return end
}
function allLinks(into) {
  const a = entry
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const p = start >> 1
  for (let j = 0; j < MOST; j++) into[j] = ints[(p + SLOTS + j) * 2]
}
function link(place, address) {
  const a = entry
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const p = start >> 1
  ints[(p + SLOTS + place) * 2] = address
}
function placeOfLink(address) {
  let a = entry
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const p = start >> 1
  for (let j = 0; j < MOST; j++) if (ints[(p + SLOTS + j) * 2] === address) return j
  return -1
}
function placeOfSlot(slot) {
  let a = entry
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const p = start >> 1
  for (let j = 0; j < MOST; j++) if (ints[(p + SLOTS + j) * 2] !== 0 && (doubles[p + SLOTS + j] | 0) === slot) return j
  return -1
}
function unlink(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  const p = start >> 1
  for (let j = 0; j < MOST; j++) ints[(p + SLOTS + j) * 2] = 0
}
const loop = { offer, offerKey, select, ranked, slot, links, allLinks, link, placeOfLink, placeOfSlot, unlink }
return { find, look, findOf, touch, put, row, key, user, at, seq, claims, loop }

// ----- key
return function keyOf(r) { return r.slot + 0 }

// ----- key
return function keyOf(r) {
  const v0 = r.channel
  return (v0 === null ? '~' : v0.length + ':' + v0)
}

// ----- records
const FIXED = 48, LENGTHS = 11
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
  return (k0 === null ? ((ints[start + 10] & 1) !== 0) : !((ints[start + 10] & 1) !== 0) && sameText(segment, ints, start, head, 0, 0, (ints[start + 11] & 65535), k0)) && doubles[(start >> 1) + 1] === u0
}
function find(g, key, user) {
  const v = keys.values(key)
  const k0 = v[0]
  const u0 = user
  const h = Math.imul(mix32(Math.imul((k0 === null ? (0x9e3779b9 | 0) : hashString(k0)), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  return a === 0 ? -1 : i
}
function look(g, key, user) {
  const v = keys.values(key)
  const k0 = v[0]
  const u0 = user
  const h = Math.imul(mix32(Math.imul((k0 === null ? (0x9e3779b9 | 0) : hashString(k0)), 31) + hashNumber(u0) | 0), 0x9e3779b1)
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
  const k0 = ((ints[start + 10] & 1) !== 0) ? null : textAt(segment, start, head, 0, 0, (ints[start + 11] & 65535))
  const u0 = doubles[(start >> 1) + 1]
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
  const v = keys.values(key)
  const k0 = v[0]
  const u0 = user
  const h = Math.imul(mix32(Math.imul((k0 === null ? (0x9e3779b9 | 0) : hashString(k0)), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  if ((g.n + 1) * 8 > g.index.length * 3) g.grow()
  const index = g.index, mask = index.length - 1
  let i = h >>> g.shift << 1, a
  while ((a = index[i + 1]) !== 0) {
    if (index[i] === h && same(a, k0, u0)) break
    i = i + 2 & mask
  }
  const t0 = r.channel === null ? '' : r.channel
  const t1 = quote(r.tags)
  let s = t0 + t1, box = 0
  if (s.length > 65535 && (t0.length > 65535 || t1.length > 65535)) {
    s = quote([t0, t1])
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
    s = quote([t0, t1])
    box = BOXED
  }
  const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
  const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
  ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = u0
  doubles[(start >> 1) + 2] = r.id
  doubles[(start >> 1) + 3] = r.price
  doubles[(start >> 1) + 4] = r.at
  ints[start + 10] = (r.channel === null ? 1 : 0)
  if (box !== 0) ints[start + 11] = written
  else {
    ints[start + 11] = t0.length | t1.length << 16
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
  return doubles[(start >> 1) + 1]
}
function key(a) { return keys.of(row(a)) }
function claims(a, bytes) {
  if (bytes < 48) return -1
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  if (head & BOXED) return ints[start + 11] >>> 0
  return (ints[start + 11] & 65535) + (ints[start + 11] >>> 16)
}
function row(a) {
  const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
  const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
  let t0, t1
  if (head & BOXED) [t0, t1] = boxOf(segment, start)
  else {
    const e0 = (ints[start + 11] & 65535)
    const e1 = e0 + (ints[start + 11] >>> 16)
    const b = (start << 2) + FIXED
    const s = e1 === 0
      ? ''
      : head & ONE_BYTE
        ? BUFFERS[segment].latin1Slice(b, b + e1)
        : BUFFERS[segment].utf8Slice(b, endOf(segment, start, head))
    t0 = s.slice(0, e0)
    t1 = s.slice(e0, e1)
  }
  return new Row(doubles[(start >> 1) + 2], ((ints[start + 10] & 1) !== 0) ? null : t0, doubles[(start >> 1) + 3], doubles[(start >> 1) + 4], JSON.parse(t1))
}
function putRow(g, a, u0, r) {
  const k0 = r.channel
  const h = Math.imul(mix32(Math.imul((k0 === null ? (0x9e3779b9 | 0) : hashString(k0)), 31) + hashNumber(u0) | 0), 0x9e3779b1)
  const t0 = r.channel === null ? '' : r.channel
  const t1 = quote(r.tags)
  let s = t0 + t1, box = 0
  if (s.length > 65535 && (t0.length > 65535 || t1.length > 65535)) {
    s = quote([t0, t1])
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
    s = quote([t0, t1])
    box = BOXED
  }
  const ints = INTS[segment], doubles = DOUBLES[segment], start = arena.base[segment] + (offset >> 2)
  const bytes = FIXED + written + 7 & ~7, units = arena.size[segment] > 262144 ? 0 : bytes >> 3
  ints[start] = units | 0 << 20 | (written === s.length ? ONE_BYTE : 0) | box
  ints[start + 1] = h
  doubles[(start >> 1) + 1] = u0
  doubles[(start >> 1) + 2] = r.id
  doubles[(start >> 1) + 3] = r.price
  doubles[(start >> 1) + 4] = r.at
  ints[start + 10] = (r.channel === null ? 1 : 0)
  if (box !== 0) ints[start + 11] = written
  else {
    ints[start + 11] = t0.length | t1.length << 16
  }
  if (a !== 0) {
    const oldSegment = a >>> 15, oldInts = INTS[oldSegment]
    const oldStart = arena.base[oldSegment] + ((a & 32767) << 1), oldUnits = oldInts[oldStart] & UNITS
    if ((a & 32767) << 3 >= arena.frozen[oldSegment] && units !== 0 && units <= oldUnits && oldUnits <= units * 2) {
      const head = ints[start] & ~UNITS | oldUnits
      for (let c = 1; c < units * 2; c++) oldInts[oldStart + c] = ints[start + c]
      oldInts[oldStart] = head
      return a
    }
    arena.kill(oldSegment, oldUnits === 0 ? arena.end[oldSegment] : oldUnits * 8)
  }
  arena.end[segment] = offset + bytes
  return segment << 15 | offset >> 3
}
function promote(g, addresses, first, end) {
  let moved = false
  return moved
}
function give(addresses, first, end, out) {
  for (let j = first; j < end; j++) {
    const a = addresses[j]
    if (a === 0) return -1
    const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
    const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
    if ((head & 12582912) !== 4194304) return 0
  }
  const out0 = out.numbers(0)
  const out2 = out.numbers(2)
  const out3 = out.numbers(3)
  const ranks = out.numbers(5)
  let n = out.count
  for (let j = first; j < end; j++, n++) {
    const a = addresses[j]
    const segment = a >>> 15, ints = INTS[segment], doubles = DOUBLES[segment]
    const start = arena.base[segment] + ((a & 32767) << 1), head = ints[start]
    out0[n] = doubles[(start >> 1) + 2]
    out2[n] = doubles[(start >> 1) + 3]
    out3[n] = doubles[(start >> 1) + 4]
    let from = out.putWords(ints, start + (FIXED >> 2), (ints[start + 11] & 65535) + (ints[start + 11] >>> 16) + 3 >> 2)
    if (((ints[start + 10] & 1) !== 0)) out.setNull(1, n)
    out.placeText(1, n, from, (ints[start + 11] & 65535))
    from += (ints[start + 11] & 65535)
    out.placeText(4, n, from, (ints[start + 11] >>> 16))
    from += (ints[start + 11] >>> 16)
    ranks[n] = j + 1
  }
  out.count = n
  return 1
}
const loop = { put: putRow, promote, give }
return { find, look, findOf, touch, put, row, key, user, at, seq, claims, loop }

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
