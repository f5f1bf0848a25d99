// ----- join
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
class LeftLog {
  constructor(texts, part) {
    this.part = part
    this.rows = texts.enter(this, part)
    this.version = 0
    this.n = 0
    this.indexed = 0
    this.keyCount = 0
    this.cap = 16
    this.mask = 31
    this.shift = 27
    this.index = new Int32Array(32)
    this.h = new Int32Array(16)
    this.next = new Int32Array(16)
    this.time = new Float64Array(16)
    this.a = new Int32Array(16)
    this.c0 = new Float64Array(16)
  }
  clear(texts, part) {
    this.part = part
    this.rows = texts.enter(this, part)
    this.version++
    this.n = 0
    this.indexed = 0
    this.keyCount = 0
    this.index.fill(0)
  }
  // room that is not written to yet takes no memory, copying does
  grow() {
    const cap = this.cap = this.cap * 4
    let c
    c = this.h
    this.h = new Int32Array(cap)
    this.h.set(c)
    c = this.next
    this.next = new Int32Array(cap)
    this.next.set(c)
    c = this.time
    this.time = new Float64Array(cap)
    this.time.set(c)
    c = this.a
    this.a = new Int32Array(cap)
    this.a.set(c)
    c = this.c0
    this.c0 = new Float64Array(cap)
    this.c0.set(c)
  }
  reindex() {
    const old = this.index, index = this.index = new Int32Array(old.length * 2), mask = this.mask = index.length - 1
    this.shift--
    for (let i = 0; i < old.length; i++) {
      const e = old[i]
      if (e === 0) continue
      let p = Math.imul(this.h[e - 1], 0x9e3779b1) >>> this.shift
      while (index[p] !== 0) p = p + 1 & mask
      index[p] = e
    }
  }
  find(h, k0) {
    if (this.indexed !== this.n) this.catchUp()
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.c0[e] === k0) return e
      p = p + 1 & mask
    }
    return -1
  }
  add(r, time, matched, isLinked, h, k0) {
    if (arena.debt) arena.maintain()
    if (this.n === this.cap) this.grow()
    const e = this.n
    {
      const bytes = 40, segment = this.rows.room(bytes), o = arena.end[segment]
      const ints = INTS[segment], doubles = DOUBLES[segment], q = arena.base[segment] + (o >> 2)
      ints[q] = (arena.size[segment] > 262144 ? 0 : bytes >> 3) | this.part << 20
      ints[q + 1] = e
      ints[q + (bytes >> 2) - 1] = ints[q + (bytes >> 2) - 2] = 0
      let d = q + 2 >> 1
      doubles[d++] = time
      doubles[d++] = r.id
      doubles[d++] = r.price
      let p = d * 2
      ints[p++] = 0
      ints[p++] = 0
      arena.end[segment] = o + bytes
      this.a[e] = segment << 15 | o >> 3
    }
    this.c0[e] = r.id
    this.h[e] = h
    this.time[e] = time
    this.next[e] = isLinked ? e : -1
    this.n = e + 1
    if (e - this.indexed >= 65536) this.catchUp()
  }
  catchUp() {
    const n = this.n, next = this.next, hashes = this.h
    let index = this.index, mask = this.mask, shift = this.shift
    const column0 = this.c0
    for (let row = this.indexed; row < n; row++) {
      if (next[row] < 0) continue
      const h = hashes[row]
      let p = Math.imul(h, 0x9e3779b1) >>> shift, e
      while ((e = index[p] - 1) >= 0 && !(hashes[e] === h && column0[e] === column0[row])) p = p + 1 & mask
      index[p] = row + 1
      if (e >= 0) {
        next[row] = next[e]
        next[e] = row
      } else if (++this.keyCount * 2 > mask) {
        this.reindex()
        index = this.index
        mask = this.mask
        shift = this.shift
      }
    }
    this.indexed = n
  }
}
class LeftCursor {
  constructor(reads) {
    this.$reads = reads
    this.$t = null
    this.$e = 0
    this.$seenLog = null
    this.$seenRow = 0
    this.$seenMoves = -1
    this.$start = 0
    this.$ints = INTS[0]
    this.$doubles = DOUBLES[0]
    this.$bytes = NO_BYTES
    this.$s = null
  }
  $load() {}
  $seek() {
    const t = this.$t, e = this.$e
    if (this.$seenLog === t && this.$seenRow === e && this.$seenMoves === arena.moves) return
    let a = t.a[e]
    if (arena.base[a >>> 15] < 0) {
      if (this.$reads === 'back') {
        if (arena.debt) {
          arena.maintain()
          a = t.a[e]
        }
        if (arena.base[a >>> 15] < 0) a = t.a[e] = arena.promote(t.rows, a)
      } else a = this.$reads === 'ahead' ? arena.loadAhead(a) : arena.load(a)
    }
    const segment = a >>> 15
    this.$ints = INTS[segment]
    this.$doubles = DOUBLES[segment]
    this.$bytes = BUFFERS[segment]
    this.$start = arena.base[segment] + ((a & 32767) << 1) + 2
    this.$seenLog = t
    this.$seenRow = e
    this.$seenMoves = arena.moves
    this.$s = null
  }
  get id() {
    this.$seek()
    const v = this.$doubles[(this.$start >> 1) + 1]
    return v
  }
  get price() {
    this.$seek()
    const v = this.$doubles[(this.$start >> 1) + 2]
    return v
  }
}
class LeftParsed extends LeftCursor {
  $seek() {}
  // reads the record at word p of a block; returns where the next one begins, or -1 when it does not fit
  $at(p, ints, doubles, bytes) {
    this.$ints = ints
    this.$doubles = doubles
    this.$bytes = bytes
    this.$start = p
    this.$s = null
    const q = p + 8, b = ints[q - 1]
    return b < 0 || q * 4 + b > bytes.length ? -1 : q + (b + 3 >> 2) + 1 & ~1
  }
  $flags() { return this.$ints[this.$start + 6] }
}
function measureLeft(t, e, to, words) {
  for (; e < to; e++) {
    const h = t.h[e]
    words[h & 127] += 8
  }
}
function dumpLeft(t, e, to, places, ints) {
  for (; e < to; e++) {
    const h = t.h[e], g = h & 127
    const a = arena.loadAhead(t.a[e]), segment = a >>> 15, source = INTS[segment]
    let q = arena.base[segment] + ((a & 32767) << 1) + 2
    const own = ints[g]
    for (let p = places[g], end = places[g] += 8; p < end; p++, q++) own[p] = source[q]
  }
}
const cursorLeft = new LeftCursor("back")
const aheadLeft = new LeftCursor("ahead"), finderLeft = new LeftCursor("one")
const nothingLeft = { id: null, price: null }
function keptLeft(t, i) {
  const c = cursorLeft
  c.$t = t
  c.$e = i
  c.$load()
  return new KeptLeft(c.id, c.price)
}
function restoreLeft({ ints, doubles, bytes }, p, to, host) {
  let pane, parts, from = Infinity, until = -Infinity
  const one = new LeftParsed()
  while (p < to) {
    const at = p
    p = one.$at(p, ints, doubles, bytes)
    if (p < 0 || p > to) return false
    const time = doubles[at >> 1], matched = 0, r = one
    const k0 = r.id
    const isLinked = true
    const h = hashNumber(k0)
    if (!(time >= from && time < until)) {
      if (pane !== undefined) pane.texts.flush()
      pane = host.paneAt(0, time)
      from = pane.start
      until = pane.end
      parts = pane.parts
    }
    const own = parts[h >>> 29] ?? host.part(0, pane, h >>> 29)
    {
      own.add(r, time, matched, isLinked, h, k0)
    }
  }
  if (pane !== undefined) pane.texts.flush()
  return true
}
class RightLog {
  constructor(texts, part) {
    this.part = part
    this.rows = texts.enter(this, part)
    this.version = 0
    this.n = 0
    this.indexed = 0
    this.keyCount = 0
    this.cap = 16
    this.mask = 31
    this.shift = 27
    this.index = new Int32Array(32)
    this.h = new Int32Array(16)
    this.next = new Int32Array(16)
    this.time = new Float64Array(16)
    this.a = new Int32Array(16)
    this.c0 = new Float64Array(16)
  }
  clear(texts, part) {
    this.part = part
    this.rows = texts.enter(this, part)
    this.version++
    this.n = 0
    this.indexed = 0
    this.keyCount = 0
    this.index.fill(0)
  }
  // room that is not written to yet takes no memory, copying does
  grow() {
    const cap = this.cap = this.cap * 4
    let c
    c = this.h
    this.h = new Int32Array(cap)
    this.h.set(c)
    c = this.next
    this.next = new Int32Array(cap)
    this.next.set(c)
    c = this.time
    this.time = new Float64Array(cap)
    this.time.set(c)
    c = this.a
    this.a = new Int32Array(cap)
    this.a.set(c)
    c = this.c0
    this.c0 = new Float64Array(cap)
    this.c0.set(c)
  }
  reindex() {
    const old = this.index, index = this.index = new Int32Array(old.length * 2), mask = this.mask = index.length - 1
    this.shift--
    for (let i = 0; i < old.length; i++) {
      const e = old[i]
      if (e === 0) continue
      let p = Math.imul(this.h[e - 1], 0x9e3779b1) >>> this.shift
      while (index[p] !== 0) p = p + 1 & mask
      index[p] = e
    }
  }
  find(h, k0) {
    if (this.indexed !== this.n) this.catchUp()
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.c0[e] === k0) return e
      p = p + 1 & mask
    }
    return -1
  }
  add(r, time, matched, isLinked, h, k0) {
    if (arena.debt) arena.maintain()
    if (this.n === this.cap) this.grow()
    const e = this.n
    {
      const s1 = r.channel
      const s = (s1 === null ? '' : s1)
      let b = s.length === 0 ? 0 : bytesOf(s), w = 0
      if (b !== s.length) {
        if (s.isWellFormed()) w = 1
        else {
          w = 2
          b = s.length * 2
        }
      }
      const bytes = 8 + (10 + (b + 3 >> 2) & ~1) * 4, segment = this.rows.room(bytes), o = arena.end[segment]
      const ints = INTS[segment], doubles = DOUBLES[segment], q = arena.base[segment] + (o >> 2)
      ints[q] = (arena.size[segment] > 262144 ? 0 : bytes >> 3) | this.part << 20
      ints[q + 1] = e
      ints[q + (bytes >> 2) - 1] = ints[q + (bytes >> 2) - 2] = 0
      let d = q + 2 >> 1
      doubles[d++] = time
      doubles[d++] = r.id
      doubles[d++] = r.price
      let p = d * 2
      ints[p++] = w << 1
      ints[p++] = b
      ints[p++] = s1 === null ? -1 : s1.length
      if (b !== 0) {
        if (w === 0) BUFFERS[segment].latin1Write(s, p * 4, b)
        else if (w === 1) BUFFERS[segment].utf8Write(s, p * 4, b)
        else BUFFERS[segment].ucs2Write(s, p * 4, b)
      }
      this.rows.taken += b + 3 >> 2
      arena.end[segment] = o + bytes
      this.a[e] = segment << 15 | o >> 3
    }
    this.c0[e] = r.id
    this.h[e] = h
    this.time[e] = time
    this.next[e] = isLinked ? e : -1
    this.n = e + 1
    if (e - this.indexed >= 65536) this.catchUp()
  }
  catchUp() {
    const n = this.n, next = this.next, hashes = this.h
    let index = this.index, mask = this.mask, shift = this.shift
    const column0 = this.c0
    for (let row = this.indexed; row < n; row++) {
      if (next[row] < 0) continue
      const h = hashes[row]
      let p = Math.imul(h, 0x9e3779b1) >>> shift, e
      while ((e = index[p] - 1) >= 0 && !(hashes[e] === h && column0[e] === column0[row])) p = p + 1 & mask
      index[p] = row + 1
      if (e >= 0) {
        next[row] = next[e]
        next[e] = row
      } else if (++this.keyCount * 2 > mask) {
        this.reindex()
        index = this.index
        mask = this.mask
        shift = this.shift
      }
    }
    this.indexed = n
  }
}
class RightCursor {
  constructor(reads) {
    this.$reads = reads
    this.$t = null
    this.$e = 0
    this.$seenLog = null
    this.$seenRow = 0
    this.$seenMoves = -1
    this.$start = 0
    this.$ints = INTS[0]
    this.$doubles = DOUBLES[0]
    this.$bytes = NO_BYTES
    this.$s = null
  }
  $load() {}
  $seek() {
    const t = this.$t, e = this.$e
    if (this.$seenLog === t && this.$seenRow === e && this.$seenMoves === arena.moves) return
    let a = t.a[e]
    if (arena.base[a >>> 15] < 0) {
      if (this.$reads === 'back') {
        if (arena.debt) {
          arena.maintain()
          a = t.a[e]
        }
        if (arena.base[a >>> 15] < 0) a = t.a[e] = arena.promote(t.rows, a)
      } else a = this.$reads === 'ahead' ? arena.loadAhead(a) : arena.load(a)
    }
    const segment = a >>> 15
    this.$ints = INTS[segment]
    this.$doubles = DOUBLES[segment]
    this.$bytes = BUFFERS[segment]
    this.$start = arena.base[segment] + ((a & 32767) << 1) + 2
    this.$seenLog = t
    this.$seenRow = e
    this.$seenMoves = arena.moves
    this.$s = null
  }
  $text() {
    const ints = this.$ints, q = this.$start, b = ints[q + 7]
    return this.$s = b === 0 ? '' : textAt(this.$bytes, (q + 9) * 4, b, ints[q + 6] >> 1)
  }
  get id() {
    this.$seek()
    const v = this.$doubles[(this.$start >> 1) + 1]
    return v
  }
  get channel() {
    this.$seek()
    const ints = this.$ints, q = this.$start, n = ints[q + 8]
    if (n < 0) return null
    const a = 0
    return (this.$s === null ? this.$text() : this.$s).slice(a, a + n)
  }
  get price() {
    this.$seek()
    const v = this.$doubles[(this.$start >> 1) + 2]
    return v
  }
}
class RightParsed extends RightCursor {
  $seek() {}
  // reads the record at word p of a block; returns where the next one begins, or -1 when it does not fit
  $at(p, ints, doubles, bytes) {
    this.$ints = ints
    this.$doubles = doubles
    this.$bytes = bytes
    this.$start = p
    this.$s = null
    const q = p + 9, b = ints[q - 2]
    return b < 0 || q * 4 + b > bytes.length ? -1 : q + (b + 3 >> 2) + 1 & ~1
  }
  $flags() { return this.$ints[this.$start + 6] }
}
function measureRight(t, e, to, words) {
  for (; e < to; e++) {
    const h = t.h[e]
    const a = arena.loadAhead(t.a[e]), segment = a >>> 15, source = INTS[segment]
    let q = arena.base[segment] + ((a & 32767) << 1) + 2
    words[h & 127] += (10 + (source[q + 7] + 3 >> 2) & ~1)
  }
}
function dumpRight(t, e, to, places, ints) {
  for (; e < to; e++) {
    const h = t.h[e], g = h & 127
    const a = arena.loadAhead(t.a[e]), segment = a >>> 15, source = INTS[segment]
    let q = arena.base[segment] + ((a & 32767) << 1) + 2
    const own = ints[g]
    for (let p = places[g], end = places[g] += (10 + (source[q + 7] + 3 >> 2) & ~1); p < end; p++, q++) own[p] = source[q]
  }
}
const cursorRight = new RightCursor("back")
const aheadRight = new RightCursor("ahead"), finderRight = new RightCursor("one")
const nothingRight = { id: null, channel: null, price: null }
function keptRight(t, i) {
  const c = cursorRight
  c.$t = t
  c.$e = i
  c.$load()
  return new KeptRight(c.id, c.channel, c.price)
}
function restoreRight({ ints, doubles, bytes }, p, to, host) {
  let pane, parts, from = Infinity, until = -Infinity
  const one = new RightParsed()
  while (p < to) {
    const at = p
    p = one.$at(p, ints, doubles, bytes)
    if (p < 0 || p > to) return false
    const time = doubles[at >> 1], matched = 0, r = one
    const k0 = r.id
    const isLinked = true
    const h = hashNumber(k0)
    if (!(time >= from && time < until)) {
      if (pane !== undefined) pane.texts.flush()
      pane = host.paneAt(1, time)
      from = pane.start
      until = pane.end
      parts = pane.parts
    }
    const own = parts[h >>> 29] ?? host.part(1, pane, h >>> 29)
    {
      own.add(r, time, matched, isLinked, h, k0)
    }
  }
  if (pane !== undefined) pane.texts.flush()
  return true
}
function takeLeft(rows, i, count, others, host, out, onError) {
  const held = host.held, seen = host.seen
  let pane, parts, from = Infinity, to = -Infinity
  for (; i < count && out.length < 2048; i++) {
    const l = rows[i]
    try {
      const time = l.at
      const k0 = l.id
      const isLinked = true
      const h = hashNumber(k0)
      const g = h & 127
      seen[g] = 1
      let matched = 0
      if (time < host.passed || (held !== null && time < held[g])) {
        host.late.push(l)
        continue
      }
      const lo = time - 1000, hi = time + 0
      if (isLinked) search: for (let p = 0; p < others.length; p++) {
        const there = others[p]
        if (there.end <= lo || there.start > hi) continue
        const t = there.parts[h >>> 29]
        if (t === undefined) continue
        const last = t.find(h, k0)
        if (last < 0) continue
        let e = last
        do {
          e = t.next[e]
          const at = t.time[e]
          if (at < lo || at > hi) continue
          cursorRight.$t = t
          cursorRight.$e = e
          {
            matched = 1
            cursorRight.$load()
            const f0 = l.id
            const f1 = (l.price + cursorRight.price)
            if ((f1 - f1 !== 0)) refuseValue("paid", "double", f1, "left.price + right.price")
            const f2 = cursorRight.channel
            out.push(new Row(f0, f1, f2))
          }
        } while (e !== last)
      }
      if (isLinked) {
        if (!(time >= from && time < to)) {
          if (pane !== undefined) pane.texts.flush()
          pane = host.paneAt(0, time)
          from = pane.start
          to = pane.end
          parts = pane.parts
        }
        const own = parts[h >>> 29] ?? host.part(0, pane, h >>> 29)
        {
          own.add(l, time, matched, isLinked, h, k0)
        }
      }
    } catch (error) {
      onError(error, l, operatorId)
    }
  }
  if (pane !== undefined) pane.texts.flush()
  return i
}
function aloneLeft(t, i, window, host, out, onError) {
  const held = host.held
  aheadLeft.$t = t
  for (; i < t.n && out.length < 2048; i++) {
    if (t.m[i] === 1) continue
    const h = t.h[i]
    aheadLeft.$e = i
    aheadLeft.$load()
    try {
      const f0 = aheadLeft.id
      const f1 = (aheadLeft.price + nothingRight.price)
      if ((f1 - f1 !== 0)) refuseValue("paid", "double", f1, "left.price + right.price")
      const f2 = nothingRight.channel
      out.push(new Row(f0, f1, f2))
    } catch (error) {
      onError(error, keptLeft(t, i), operatorId)
    }
  }
  return i
}
function takeRight(rows, i, count, others, host, out, onError) {
  const held = host.held, seen = host.seen
  let pane, parts, from = Infinity, to = -Infinity
  for (; i < count && out.length < 2048; i++) {
    const r = rows[i]
    try {
      const time = r.at
      const k0 = r.id
      const isLinked = true
      const h = hashNumber(k0)
      const g = h & 127
      seen[g] = 1
      let matched = 0
      if (time < host.passed || (held !== null && time < held[g])) {
        host.late.push(r)
        continue
      }
      const lo = time - 0, hi = time + 1000
      if (isLinked) search: for (let p = 0; p < others.length; p++) {
        const there = others[p]
        if (there.end <= lo || there.start > hi) continue
        const t = there.parts[h >>> 29]
        if (t === undefined) continue
        const last = t.find(h, k0)
        if (last < 0) continue
        let e = last
        do {
          e = t.next[e]
          const at = t.time[e]
          if (at < lo || at > hi) continue
          cursorLeft.$t = t
          cursorLeft.$e = e
          {
            matched = 1
            const f0 = cursorLeft.id
            const f1 = (cursorLeft.price + r.price)
            if ((f1 - f1 !== 0)) refuseValue("paid", "double", f1, "left.price + right.price")
            const f2 = r.channel
            out.push(new Row(f0, f1, f2))
          }
        } while (e !== last)
      }
      if (isLinked) {
        if (!(time >= from && time < to)) {
          if (pane !== undefined) pane.texts.flush()
          pane = host.paneAt(1, time)
          from = pane.start
          to = pane.end
          parts = pane.parts
        }
        const own = parts[h >>> 29] ?? host.part(1, pane, h >>> 29)
        {
          own.add(r, time, matched, isLinked, h, k0)
        }
      }
    } catch (error) {
      onError(error, r, operatorId)
    }
  }
  if (pane !== undefined) pane.texts.flush()
  return i
}
function aloneRight(t, i, window, host, out, onError) {
  const held = host.held
  aheadRight.$t = t
  for (; i < t.n && out.length < 2048; i++) {
    if (t.m[i] === 1) continue
    const h = t.h[i]
    aheadRight.$e = i
    aheadRight.$load()
    try {
      const f0 = nothingLeft.id
      const f1 = (nothingLeft.price + aheadRight.price)
      if ((f1 - f1 !== 0)) refuseValue("paid", "double", f1, "left.price + right.price")
      const f2 = aheadRight.channel
      out.push(new Row(f0, f1, f2))
    } catch (error) {
      onError(error, keptRight(t, i), operatorId)
    }
  }
  return i
}
const fire = undefined
return { left: {
  create: (texts, part) => new LeftLog(texts, part),
  take: takeLeft,
  alone: aloneLeft,
  measure: measureLeft,
  dump: dumpLeft,
  restore: restoreLeft,
}, right: {
  create: (texts, part) => new RightLog(texts, part),
  take: takeRight,
  alone: aloneRight,
  measure: measureRight,
  dump: dumpRight,
  restore: restoreRight,
}, fire }
