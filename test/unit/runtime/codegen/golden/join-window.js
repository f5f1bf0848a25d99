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
    this.c0 = new Float64Array(16)
    this.c1 = new Float64Array(16)
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
    c = this.c0
    this.c0 = new Float64Array(cap)
    this.c0.set(c)
    c = this.c1
    this.c1 = new Float64Array(cap)
    this.c1.set(c)
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
  add(r, time, matched, isLinked, h, k0) {
    if (this.n === this.cap) this.grow()
    const e = this.n
    this.c0[e] = r.id
    this.c1[e] = r.price
    this.h[e] = h
    this.time[e] = time
    this.next[e] = isLinked ? e : -1
    this.n = e + 1
  }
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
  }
  get id() {
    const t = this.$t, e = this.$e
    const v = t.c0[e]
    return v
  }
  get price() {
    const t = this.$t, e = this.$e
    const v = t.c1[e]
    return v
  }
}
function measureLeft(t, e, to, words) {
  for (; e < to; e++) {
    const h = t.h[e]
    words[h & 127] += 8
  }
}
function dumpLeft(t, e, to, places, ints, doubles) {
  for (; e < to; e++) {
    const h = t.h[e], g = h & 127
    let p = places[g]
    places[g] = p + 8
    const own = ints[g], numbers = doubles[g]
    let d = p >> 1
    numbers[d++] = t.time[e]
    numbers[d++] = t.c0[e]
    numbers[d++] = t.c1[e]
    p = d * 2
    own[p++] = 0
    own[p++] = 0
  }
}
function parseLeft(p, ints, doubles, bytes, t) {
  let d = p >> 1
  t.time[0] = doubles[d]
  d++
  t.c0[0] = doubles[d++]
  t.c1[0] = doubles[d++]
  let q = d * 2
  const flags = ints[q++], size = ints[q++]
  return q + (size + 3 >> 2) + 1 & ~1
}
const cursorLeft = new LeftCursor()
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
  const one = new LeftLog(null)
  while (p < to) {
    p = parseLeft(p, ints, doubles, bytes, one)
    if (p < 0 || p > to) return false
    const time = one.time[0], matched = 0, r = keptLeft(one, 0)
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
    this.c0 = new Float64Array(16)
    this.c1 = new Float64Array(16)
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
    c = this.c0
    this.c0 = new Float64Array(cap)
    this.c0.set(c)
    c = this.c1
    this.c1 = new Float64Array(cap)
    this.c1.set(c)
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
    this.c1[e] = r.price
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
  get price() {
    const t = this.$t, e = this.$e
    const v = t.c1[e]
    return v
  }
}
function measureRight(t, e, to, words) {
  for (; e < to; e++) {
    const h = t.h[e]
    words[h & 127] += 8
  }
}
function dumpRight(t, e, to, places, ints, doubles) {
  for (; e < to; e++) {
    const h = t.h[e], g = h & 127
    let p = places[g]
    places[g] = p + 8
    const own = ints[g], numbers = doubles[g]
    let d = p >> 1
    numbers[d++] = t.time[e]
    numbers[d++] = t.c0[e]
    numbers[d++] = t.c1[e]
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
  t.c1[0] = doubles[d++]
  let q = d * 2
  const flags = ints[q++], size = ints[q++]
  return q + (size + 3 >> 2) + 1 & ~1
}
const cursorRight = new RightCursor()
const nothingRight = { id: null, price: null }
function keptRight(t, i) {
  const c = cursorRight
  c.$t = t
  c.$e = i
  c.$load()
  return new KeptRight(c.id, c.price)
}
function restoreRight({ ints, doubles, bytes }, p, to, host) {
  let pane, parts, from = Infinity, until = -Infinity
  const one = new RightLog(null)
  while (p < to) {
    p = parseRight(p, ints, doubles, bytes, one)
    if (p < 0 || p > to) return false
    const time = one.time[0], matched = 0, r = keptRight(one, 0)
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
  for (; i < count; i++) {
    const r = rows[i]
    try {
      const time = r.at
      const k0 = r.id
      const isLinked = true
      const h = hashNumber(k0)
      const g = h & 127
      seen[g] = 1
      const end = Math.floor(time / 10000) * 10000 + 10000
      if (end <= host.passed || (held !== null && end <= held[g])) {
        host.late.push(r)
        continue
      }
      if (!isLinked) continue
      if (!(time >= from && time < to)) {
        if (pane !== undefined) pane.texts.flush()
        pane = host.paneAt(0, time)
        from = pane.start
        to = pane.end
        parts = pane.parts
      }
      const own = parts[h >>> 29] ?? host.part(0, pane, h >>> 29)
      {
        own.add(r, time, 0, isLinked, h, k0)
      }
    } catch (error) {
      onError(error, r, operatorId)
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
    if (held !== null && held[h & 127] >= window.end) continue
    cursorLeft.$e = i
    cursorLeft.$load()
    try {
      const f0 = cursorLeft.id
      const f1 = (cursorLeft.price + nothingRight.price)
      if ((f1 - f1 !== 0)) refuseValue("paid", "double", f1, "left.price + right.price")
      out.push(new Row(f0, f1, window.start, window.end))
    } catch (error) {
      onError(error, keptLeft(t, i), operatorId)
    }
  }
  return i
}
function takeRight(rows, i, count, others, host, out, onError) {
  const held = host.held, seen = host.seen
  let pane, parts, from = Infinity, to = -Infinity
  for (; i < count; i++) {
    const r = rows[i]
    try {
      const time = r.at
      const k0 = r.id
      const isLinked = true
      const h = hashNumber(k0)
      const g = h & 127
      seen[g] = 1
      const end = Math.floor(time / 10000) * 10000 + 10000
      if (end <= host.passed || (held !== null && end <= held[g])) {
        host.late.push(r)
        continue
      }
      if (!isLinked) continue
      if (!(time >= from && time < to)) {
        if (pane !== undefined) pane.texts.flush()
        pane = host.paneAt(1, time)
        from = pane.start
        to = pane.end
        parts = pane.parts
      }
      const own = parts[h >>> 29] ?? host.part(1, pane, h >>> 29)
      {
        own.add(r, time, 0, isLinked, h, k0)
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
    if (held !== null && held[h & 127] >= window.end) continue
    cursorRight.$e = i
    cursorRight.$load()
    try {
      const f0 = nothingLeft.id
      const f1 = (nothingLeft.price + cursorRight.price)
      if ((f1 - f1 !== 0)) refuseValue("paid", "double", f1, "left.price + right.price")
      out.push(new Row(f0, f1, window.start, window.end))
    } catch (error) {
      onError(error, keptRight(t, i), operatorId)
    }
  }
  return i
}
function fire(t, i, rights, window, host, out, onError) {
  const l = cursorLeft, held = host.held
  l.$t = t
  for (; i < t.n && out.length < 2048; i++) {
    l.$e = i
    const h = t.h[i]
    if (held !== null && held[h & 127] >= window.end) continue
    try {
      let matched = 0
      const k0 = l.id
      if (true) search: for (let p = 0; p < rights.length; p++) {
        const o = rights[p]
        const last = o.find(h, k0)
        if (last < 0) continue
        cursorRight.$t = o
        let e = last
        do {
          e = o.next[e]
          cursorRight.$e = e
          {
            matched = 1
            const f0 = l.id
            const f1 = (l.price + cursorRight.price)
            if ((f1 - f1 !== 0)) refuseValue("paid", "double", f1, "left.price + right.price")
            out.push(new Row(f0, f1, window.start, window.end))
          }
        } while (e !== last)
      }
    } catch (error) {
      onError(error, keptLeft(t, i), operatorId)
    }
  }
  return i
}
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
