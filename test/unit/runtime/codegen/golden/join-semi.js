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
  constructor(texts) {
    this.texts = texts
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
    this.m = new Uint8Array(16)
    this.o = new Int32Array(16)
    this.b = new Int32Array(16)
    this.w = new Uint8Array(16)
    this.c0 = new Float64Array(16)
    this.l1 = new Int32Array(16)
    this.c2 = new Float64Array(16)
    this.c3 = new Float64Array(16)
    this.l4 = new Int32Array(16)
  }
  clear(texts) {
    this.texts = texts
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
    c = this.m
    this.m = new Uint8Array(cap)
    this.m.set(c)
    c = this.o
    this.o = new Int32Array(cap)
    this.o.set(c)
    c = this.b
    this.b = new Int32Array(cap)
    this.b.set(c)
    c = this.w
    this.w = new Uint8Array(cap)
    this.w.set(c)
    c = this.c0
    this.c0 = new Float64Array(cap)
    this.c0.set(c)
    c = this.l1
    this.l1 = new Int32Array(cap)
    this.l1.set(c)
    c = this.c2
    this.c2 = new Float64Array(cap)
    this.c2.set(c)
    c = this.c3
    this.c3 = new Float64Array(cap)
    this.c3.set(c)
    c = this.l4
    this.l4 = new Int32Array(cap)
    this.l4.set(c)
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
    if (this.n === this.cap) this.grow()
    const e = this.n
    this.c0[e] = r.id
    const s1 = r.channel
    this.l1[e] = s1 === null ? -1 : s1.length
    this.c2[e] = r.price
    this.c3[e] = r.at
    const s4 = printJson(r.tags)
    this.l4[e] = s4.length
    this.texts.add(this, e, (s1 === null ? '' : s1) + s4)
    this.h[e] = h
    this.time[e] = time
    this.m[e] = matched
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
  textOf(e) { return this.texts.of(this.o[e], this.b[e], this.w[e]) }
}
class LeftCursor {
  constructor() {
    this.$t = new LeftLog(null)
    this.$e = 0
    this.$s = ''
    this.$st = null
    this.$se = 0
    this.$sv = 0
    this.$ks = []
    this.$ko = new Int32Array(512)
    this.$kt = []
  }
  $load() {
    const t = this.$t, e = this.$e
    if (this.$st === t && this.$se === e && this.$sv === t.version) return
    this.$st = t
    this.$se = e
    this.$sv = t.version
    const b = t.b[e]
    if (b === 0 || b > 2048) {
      this.$s = t.textOf(e)
      return
    }
    const o = t.o[e], p = Math.imul(o, 0x9e3779b1) >>> 23
    if (this.$ko[p] === o && this.$kt[p] === t.texts) {
      this.$s = this.$ks[p]
      return
    }
    this.$ko[p] = o
    this.$kt[p] = t.texts
    this.$s = this.$ks[p] = t.textOf(e)
  }
  get id() {
    const t = this.$t, e = this.$e
    const v = t.c0[e]
    return v
  }
  get channel() {
    const t = this.$t, e = this.$e
    const n = t.l1[e]
    if (n < 0) return null
    const a = 0
    return this.$s.slice(a, a + n)
  }
  get price() {
    const t = this.$t, e = this.$e
    const v = t.c2[e]
    return v
  }
  get at() {
    const t = this.$t, e = this.$e
    const v = t.c3[e]
    return v
  }
  get tags() {
    const t = this.$t, e = this.$e
    const n = t.l4[e]
    const a = (t.l1[e] > 0 ? t.l1[e] : 0)
    return parseJson(this.$s.slice(a, a + n))
  }
}
function measureLeft(t, e, to, words) {
  for (; e < to; e++) {
    const h = t.h[e]
    words[h & 127] += (13 + (t.b[e] + 3 >> 2) & ~1)
  }
}
function dumpLeft(t, e, to, places, ints, doubles) {
  for (; e < to; e++) {
    const h = t.h[e], g = h & 127
    let p = places[g]
    places[g] = p + (13 + (t.b[e] + 3 >> 2) & ~1)
    const own = ints[g], numbers = doubles[g]
    let d = p >> 1
    numbers[d++] = t.time[e]
    numbers[d++] = t.c0[e]
    numbers[d++] = t.c2[e]
    numbers[d++] = t.c3[e]
    p = d * 2
    own[p++] = t.w[e] << 1
    own[p++] = t.b[e]
    own[p++] = t.l1[e]
    own[p++] = t.l4[e]
    const chunk = t.texts.words[t.o[e] >>> 18]
    for (let q = t.o[e] & 262143, end = q + (t.b[e] + 3 >> 2); q < end; q++) own[p++] = chunk[q]
  }
}
function parseLeft(p, ints, doubles, bytes, t) {
  let d = p >> 1
  t.time[0] = doubles[d]
  d++
  t.c0[0] = doubles[d++]
  t.c2[0] = doubles[d++]
  t.c3[0] = doubles[d++]
  let q = d * 2
  const flags = ints[q++], size = ints[q++]
  t.m[0] = flags & 1
  t.l1[0] = ints[q++]
  t.l4[0] = ints[q++]
  if (q * 4 + size > bytes.length || size < 0) return -1
  const c = cursorLeft
  c.$s = textAt(bytes, q * 4, size, flags >> 1)
  c.$st = t
  c.$se = 0
  c.$sv = t.version
  return q + (size + 3 >> 2) + 1 & ~1
}
const cursorLeft = new LeftCursor()
const nothingLeft = { id: null, channel: null, price: null, at: null, tags: null }
function keptLeft(t, i) {
  const c = cursorLeft
  c.$t = t
  c.$e = i
  c.$load()
  return new KeptLeft(c.id, c.channel, c.price, c.at, c.tags)
}
function restoreLeft({ ints, doubles, bytes }, p, to, host) {
  let pane, parts, from = Infinity, until = -Infinity
  const one = new LeftLog(null)
  while (p < to) {
    p = parseLeft(p, ints, doubles, bytes, one)
    if (p < 0 || p > to) return false
    const time = one.time[0], matched = one.m[0], r = keptLeft(one, 0)
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
    host.rowRestored(0, own, h & 127)
  }
  if (pane !== undefined) pane.texts.flush()
  return true
}
class RightLog {
  constructor(texts) {
    this.texts = texts
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
    this.m = new Uint8Array(16)
    this.c0 = new Float64Array(16)
  }
  clear(texts) {
    this.texts = texts
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
    c = this.m
    this.m = new Uint8Array(cap)
    this.m.set(c)
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
    if (this.n === this.cap) this.grow()
    const e = this.n
    this.c0[e] = r.id
    this.h[e] = h
    this.time[e] = time
    this.m[e] = matched
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
  constructor() {
    this.$t = new RightLog(null)
    this.$e = 0
    this.$s = ''
    this.$st = null
    this.$se = 0
    this.$sv = 0
    this.$ks = []
    this.$ko = new Int32Array(512)
    this.$kt = []
  }
  $load() {
  }
  get id() {
    const t = this.$t, e = this.$e
    const v = t.c0[e]
    return v
  }
}
function measureRight(t, e, to, words) {
  for (; e < to; e++) {
    const h = t.h[e]
    words[h & 127] += 6
  }
}
function dumpRight(t, e, to, places, ints, doubles) {
  for (; e < to; e++) {
    const h = t.h[e], g = h & 127
    let p = places[g]
    places[g] = p + 6
    const own = ints[g], numbers = doubles[g]
    let d = p >> 1
    numbers[d++] = t.time[e]
    numbers[d++] = t.c0[e]
    p = d * 2
    own[p++] = 0
    own[p++] = 0
  }
}
function parseRight(p, ints, doubles, bytes, t) {
  let d = p >> 1
  t.time[0] = doubles[d]
  d++
  t.c0[0] = doubles[d++]
  let q = d * 2
  const flags = ints[q++], size = ints[q++]
  t.m[0] = flags & 1
  return q + (size + 3 >> 2) + 1 & ~1
}
const cursorRight = new RightCursor()
const nothingRight = { id: null }
function keptRight(t, i) {
  const c = cursorRight
  c.$t = t
  c.$e = i
  c.$load()
  return new KeptRight(c.id)
}
function restoreRight({ ints, doubles, bytes }, p, to, host) {
  let pane, parts, from = Infinity, until = -Infinity
  const one = new RightLog(null)
  while (p < to) {
    p = parseRight(p, ints, doubles, bytes, one)
    if (p < 0 || p > to) return false
    const time = one.time[0], matched = one.m[0], r = keptRight(one, 0)
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
      const time = host.now
      const k0 = l.id
      const isLinked = true
      const h = hashNumber(k0)
      const g = h & 127
      seen[g] = 1
      let matched = 0
      if (isLinked) search: for (let p = 0; p < others.length; p++) {
        const there = others[p]
        const t = there.parts[h >>> 29]
        if (t === undefined) continue
        const last = t.find(h, k0)
        if (last < 0) continue
        let e = last
        do {
          e = t.next[e]
          if (t.time[e] + 3600000 <= time) continue
          cursorRight.$t = t
          cursorRight.$e = e
          {
            matched = 1
            const f0 = l.id
            const f1 = l.channel
            const f2 = l.price
            const f3 = l.at
            const f4 = l.tags
            out.push(new Row(f0, f1, f2, f3, f4))
          }
          break search
        } while (e !== last)
      }
      if (matched === 0) {
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
  cursorLeft.$t = t
  for (; i < t.n && out.length < 2048; i++) {
    if (t.m[i] === 1) continue
    const h = t.h[i]
    cursorLeft.$e = i
    cursorLeft.$load()
    try {
      const f0 = cursorLeft.id
      const f1 = cursorLeft.channel
      const f2 = cursorLeft.price
      const f3 = cursorLeft.at
      const f4 = cursorLeft.tags
      out.push(new Row(f0, f1, f2, f3, f4))
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
      const time = host.now
      const k0 = r.id
      const isLinked = true
      const h = hashNumber(k0)
      const g = h & 127
      seen[g] = 1
      let matched = 0
      if (isLinked) search: for (let p = 0; p < others.length; p++) {
        const there = others[p]
        const t = there.parts[h >>> 29]
        if (t === undefined) continue
        const last = t.find(h, k0)
        if (last < 0) continue
        let e = last
        do {
          e = t.next[e]
          if (t.time[e] + 3600000 <= time) continue
          if (t.m[e] === 1) continue
          cursorLeft.$t = t
          cursorLeft.$e = e
          {
            matched = 1
            t.m[e] = 1
            cursorLeft.$load()
            const f0 = cursorLeft.id
            const f1 = cursorLeft.channel
            const f2 = cursorLeft.price
            const f3 = cursorLeft.at
            const f4 = cursorLeft.tags
            out.push(new Row(f0, f1, f2, f3, f4))
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
  cursorRight.$t = t
  for (; i < t.n && out.length < 2048; i++) {
    if (t.m[i] === 1) continue
    const h = t.h[i]
    cursorRight.$e = i
    cursorRight.$load()
    try {
      const f0 = nothingLeft.id
      const f1 = nothingLeft.channel
      const f2 = nothingLeft.price
      const f3 = nothingLeft.at
      const f4 = nothingLeft.tags
      out.push(new Row(f0, f1, f2, f3, f4))
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
