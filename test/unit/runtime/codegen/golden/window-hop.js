// ----- window
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
let serials = 0
class Table {
  constructor() {
    this.n = 0
    this.chars = 0
    this.serial = ++serials
    this.cap = 8
    this.mask = 15
    this.shift = 28
    this.index = new Int32Array(16)
    this.changedIn = new Int32Array(0)
    this.lastChange = 0
    this.text = new Uint8Array(64)
    this.width = 5
    this.v = new Float64Array(40)
    this.textAt = null
    this.lastTexts = []
    this.h = new Int32Array(8)
    this.k0 = new Float64Array(8)
    this.o1 = new Int32Array(8)
    this.l1 = new Int32Array(8)
    this.u = new Uint8Array(8)
    this.lates = []
    this.earlies = []
  }
  clear() {
    this.n = 0
    this.chars = 0
    this.serial = ++serials
    this.lastChange = 0
    this.index.fill(0)
    this.textAt = null
    this.lates.length = 0
    this.earlies.length = 0
  }
  free(h) {
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift
    while (index[p] !== 0) p = p + 1 & mask
    return p
  }
  grow() {
    const cap = this.cap * 2
    let old
    old = this.h
    this.h = new Int32Array(cap)
    this.h.set(old)
    old = this.k0
    this.k0 = new Float64Array(cap)
    this.k0.set(old)
    old = this.o1
    this.o1 = new Int32Array(cap)
    this.o1.set(old)
    old = this.l1
    this.l1 = new Int32Array(cap)
    this.l1.set(old)
    old = this.u
    this.u = new Uint8Array(cap)
    this.u.set(old)
    old = this.v
    this.v = new Float64Array(cap * 5)
    this.v.set(old)
    this.cap = cap
    this.mask = cap * 2 - 1
    this.shift--
    this.reindex()
  }
  reindex() {
    this.index = new Int32Array(this.cap * 2)
    for (let e = 0; e < this.n; e++) this.index[this.free(this.h[e])] = e + 1
  }
  find(v0, v1, h) {
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.k0[e] === v0 && this.same1(e, v1)) return e
      p = p + 1 & mask
    }
    e = this.enter(h, p)
    this.k0[e] = v0
    this.put1(e, v1)
    return e
  }
  findOf(s, x) {
    const h = s.h[x]
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.k0[e] === s.k0[x] && this.sameOf1(e, s, x)) return e
      p = p + 1 & mask
    }
    e = this.enter(h, p)
    this.k0[e] = s.k0[x]
    this.putOf1(e, s, x)
    return e
  }
  seekOf(s, x) {
    const h = s.h[x]
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.k0[e] === s.k0[x] && this.sameOf1(e, s, x)) return e
      p = p + 1 & mask
    }
    return -1
  }
  enter(h, p) {
    if (this.n === this.cap) {
      this.grow()
      p = this.free(h)
    }
    const t = this, e = this.n++
    this.index[p] = e + 1
    this.h[e] = h
    this.start(e)
    return e
  }
  // the entry taken out of the index is the newest: no search passes over its place
  leave(e) {
    const index = this.index
    let p = Math.imul(this.h[e], 0x9e3779b1) >>> this.shift
    while (index[p] !== e + 1) p = p + 1 & this.mask
    index[p] = 0
    this.n = e
    this.chars = this.o1[e]
  }
  start(e) {
    const t = this
    const p = e * 5
    t.u[e] = 4
    t.v[p + 0] = 0
    t.v[p + 1] = -Infinity
    t.v[p + 2] = 0
    t.v[p + 3] = 0
    t.v[p + 4] = 0
  }
  room(n) {
    const need = this.chars + n
    if (need > 2147483647) throw new RangeError('the string keys of a table exceed 2^31 characters')
    if (need > this.text.length) {
      const old = this.text
      this.text = new old.constructor(Math.max(need, old.length * 2))
      this.text.set(old)
    }
  }
  keyText(i, e, o, l) {
    if (l === 0) return ''
    if (l > 256) return textOf(this.text, o, o + l)
    if (this.textAt === null) this.textAt = new Int32Array(256)
    const p = e * 2 + i & 255
    if (this.textAt[p] !== o + 1) {
      this.textAt[p] = o + 1
      this.lastTexts[p] = textOf(this.text, o, o + l)
    }
    return this.lastTexts[p]
  }
  widen() { if (this.text instanceof Uint8Array) this.text = Uint16Array.from(this.text) }
  same1(e, v) {
    if (v === null) return this.l1[e] === -1
    const n = v.length
    if (this.l1[e] !== n) return false
    const text = this.text, at = this.o1[e]
    for (let i = 0; i < n; i++) if (text[at + i] !== v.charCodeAt(i)) return false
    return true
  }
  put1(e, v) {
    this.o1[e] = this.chars
    if (v === null) {
      this.l1[e] = -1
      return
    }
    const n = v.length
    this.l1[e] = n
    this.room(n)
    for (let i = 0, at = this.chars; i < n; i++) {
      const c = v.charCodeAt(i)
      if (c > 255) this.widen()
      this.text[at + i] = c
    }
    this.chars += n
  }
  sameOf1(e, s, x) {
    const n = s.l1[x]
    if (this.l1[e] !== n) return false
    const text = this.text, other = s.text, at = this.o1[e], from = s.o1[x]
    for (let i = 0; i < n; i++) if (text[at + i] !== other[from + i]) return false
    return true
  }
  putOf1(e, s, x) {
    const n = s.l1[x]
    this.o1[e] = this.chars
    this.l1[e] = n
    if (n <= 0) return
    this.room(n)
    if (s.text instanceof Uint16Array) this.widen()
    const text = this.text, other = s.text, from = s.o1[x], at = this.chars
    for (let i = 0; i < n; i++) text[at + i] = other[from + i]
    this.chars += n
  }
}
function add(rows, count, passed, host, late, onError) {
  const fired = host.ended
  let lates = 0, i = 0, pane, from = Infinity, to = -Infinity, lastEnd = 0, tables
  while (i < count) {
    try {
      for (; i < count; i++) {
        const r = rows[i]
        const time = r.at
        if (!(time >= from && time < to)) {
          pane = host.paneAt(time)
          from = pane.start
          to = pane.end
          lastEnd = pane.lastEnd + 1000
          tables = pane.tables
        }
        const v0 = r.id
        const v1 = r.channel
        const h = mix32(Math.imul(hashNumber(v0), 31) + (v1 === null ? (0x9e3779b9 | 0) : hashString(v1)) | 0)
        const g = h & 127
        if (lastEnd <= passed || lastEnd <= fired[g]) {
          late[lates++] = r
          continue
        }
        let x1 = r.price
        x1 += 0
        let x2 = r.id
        x2 += 0
        let x3 = r.price
        x3 += 0
        let t = tables[g]
        if (t === undefined) t = host.tableAt(pane, g)
        const had = t.n, e = t.find(v0 + 0, v1, h)
        const p = e * 5
        let n2 = 0
        n2 = t.v[p + 2] + x2
        if (n2 > 9007199254740991 || n2 < -9007199254740991) refuseSum("total", t.v[p + 2], x2)
        let n3 = 0
        n3 = t.v[p + 3] + x3
        if (n3 - n3 !== 0) refuseSum("mean", t.v[p + 3], x3)
        t.v[p + 0]++
        if (x1 > t.v[p + 1]) t.v[p + 1] = x1
        t.v[p + 2] = n2
        t.v[p + 3] = n3
        t.v[p + 4]++
        t.u[e] |= 4
        if ((pane.firstEnd <= passed || pane.firstEnd <= fired[g]) && (t.u[e] & 1) === 0) {
          t.u[e] |= 1
          if (t.lates.push(e) === 1) host.lateIn(pane, g)
        }
        if ((t.u[e] & 2) === 0) {
          t.u[e] |= 2
          t.earlies.push(e)
        }
      }
    } catch (error) {
      onError(error, rows[i], operatorId)
      i++
    }
  }
  return lates
}
function combine(t, d, s, e) {
  const pd = d * 5, pe = e * 5
  t.v[pd + 0] += s.v[pe + 0]
  if (s.v[pe + 1] > t.v[pd + 1]) t.v[pd + 1] = s.v[pe + 1]
  if (s.v[pe + 2] === s.v[pe + 2]) {
    const sum = t.v[pd + 2] === t.v[pd + 2] ? t.v[pd + 2] + s.v[pe + 2] : s.v[pe + 2]
    t.v[pd + 2] = (sum > 9007199254740991 || sum < -9007199254740991) ? Infinity : sum
  }
  t.v[pd + 3] += s.v[pe + 3]
  t.v[pd + 4] += s.v[pe + 4]
}
function merge(t, s) {
  for (let e = 0, n = s.n; e < n; e++) combine(t, t.findOf(s, e), s, e)
}
function mergeKnown(t, s) {
  for (let d = 0, n = t.n; d < n; d++) {
    const e = s.seekOf(t, d)
    if (e >= 0) combine(t, d, s, e)
  }
}
function rows(t, first, end, windowStart, windowEnd, out, onRow) {
  let n = 0
  const lo = t.o1[first]
  const text = textOf(t.text, lo, end === t.n ? t.chars : t.o1[end])
  for (let e = first; e < end; e++) {
    const p = e * 5
    const row = new Row(t.k0[e], t.l1[e] < 0 ? null : text.slice(t.o1[e] - lo, t.o1[e] - lo + t.l1[e]), windowStart, windowEnd, t.v[p + 0], t.v[p + 1], t.v[p + 2], t.v[p + 3] / t.v[p + 4])
    if (t.v[p + 2] === Infinity || t.v[p + 3] - t.v[p + 3] !== 0) onRow(row); else out[n++] = row
  }
  return n
}
return { create: () => new Table(), add, merge, mergeKnown, rows }
