// ----- session window
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
    this.text = new Uint8Array(0)
    this.width = 1
    this.v = new Float64Array(8)
    this.h = new Int32Array(8)
    this.k0 = new Float64Array(8)
    this.ws = new Float64Array(8)
    this.we = new Float64Array(8)
    this.st = new Uint8Array(8)
    this.tm = new Float64Array(8)
    this.nx = new Int32Array(8)
    this.hd = new Uint8Array(8)
    this.d0 = new DistinctTexts()
    this.a1 = []
    this.b1 = new Float64Array(8)
    this.a2 = []
    this.b2 = new Float64Array(8)
    this.u = new Uint8Array(8)
  }
  clear() {
    this.n = 0
    this.chars = 0
    this.serial = ++serials
    this.lastChange = 0
    this.index.fill(0)
    this.d0.clear()
    this.a1.length = 0
    this.a2.length = 0
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
    old = this.ws
    this.ws = new Float64Array(cap)
    this.ws.set(old)
    old = this.we
    this.we = new Float64Array(cap)
    this.we.set(old)
    old = this.st
    this.st = new Uint8Array(cap)
    this.st.set(old)
    old = this.tm
    this.tm = new Float64Array(cap)
    this.tm.set(old)
    old = this.nx
    this.nx = new Int32Array(cap)
    this.nx.set(old)
    old = this.hd
    this.hd = new Uint8Array(cap)
    this.hd.set(old)
    old = this.b1
    this.b1 = new Float64Array(cap)
    this.b1.set(old)
    old = this.b2
    this.b2 = new Float64Array(cap)
    this.b2.set(old)
    old = this.u
    this.u = new Uint8Array(cap)
    this.u.set(old)
    old = this.v
    this.v = new Float64Array(cap * 1)
    this.v.set(old)
    this.cap = cap
    this.mask = cap * 2 - 1
    this.shift--
    this.reindex()
  }
  reindex() {
    this.index = new Int32Array(this.cap * 2)
    for (let e = 0; e < this.n; e++) if (this.hd[e] === 1) this.index[this.free(this.h[e])] = e + 1
  }
  chain(x) {
    if (this.n === this.cap) this.grow()
    const e = this.n++
    this.h[e] = this.h[x]
    this.start(e)
    this.hd[e] = 0
    this.k0[e] = this.k0[x]
    this.nx[e] = this.nx[x]
    this.nx[x] = e + 1
    return e
  }
  find(v0, h) {
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.k0[e] === v0) return e
      p = p + 1 & mask
    }
    e = this.enter(h, p)
    this.k0[e] = v0
    return e
  }
  findOf(s, x) {
    const h = s.h[x]
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.k0[e] === s.k0[x]) return e
      p = p + 1 & mask
    }
    e = this.enter(h, p)
    this.k0[e] = s.k0[x]
    return e
  }
  seekOf(s, x) {
    const h = s.h[x]
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.k0[e] === s.k0[x]) return e
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
  }
  start(e) {
    const t = this
    const p = e * 1
    t.u[e] = 4
    t.ws[e] = 0
    t.we[e] = -Infinity
    t.tm[e] = Infinity
    t.st[e] = 0
    t.nx[e] = 0
    t.hd[e] = 1
    t.v[p + 0] = 0
    t.d0.forget(e)
    t.a1[e] = null
    t.b1[e] = Infinity
    t.a2[e] = null
    t.b2[e] = -Infinity
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
  widen() { if (this.text instanceof Uint8Array) this.text = Uint16Array.from(this.text) }
}
function add(rows, count, passed, host, late, onError) {
  let lates = 0, i = 0
  while (i < count) {
    try {
      for (; i < count; i++) {
        const r = rows[i]
        const time = r.at
        let x0 = r.channel
        let x1 = r.channel
        let x2 = r.channel
        let y2 = r.price
        y2 += 0
        const v0 = r.id
        const h = hashNumber(v0)
        const g = h & 127
        const s = host.groupAt(g), t = s.table
        let e = t.find(v0 + 0, h)
        const until = time + 5000
        let isSought = false
        if (!(time <= t.we[e] && until >= t.ws[e] && t.st[e] === 1 && t.nx[e] === 0)) {
          isSought = true
          e = host.session(s, e, time, passed)
          if (e < 0) {
            late[lates++] = r
            continue
          }
        }
        const p = e * 1
        if (x0 !== null) {
          {
            const fresh = t.d0.mark(e, x0, 1)
            if (fresh !== 0) {
              if ((fresh & 1) !== 0) t.v[p + 0]++
            }
          }
        }
        if (x1 !== null) {
          if (time < t.b1[e]) {
            t.b1[e] = time
            t.a1[e] = (x1 === null ? null : copyText(x1))
          }
        }
        if (y2 > t.b2[e]) {
          t.b2[e] = y2
          t.a2[e] = (x2 === null ? null : copyText(x2))
        }
        if (time < t.ws[e]) t.ws[e] = time
        if (until > t.we[e]) t.we[e] = until
        t.u[e] = 4
      }
    } catch (error) {
      onError(error, rows[i], operatorId)
      i++
    }
  }
  return lates
}
function combine(t, d, s, e) {
  const pd = d * 1, pe = e * 1
  {
    const pairs = s.d0.pairs(e)
    for (let i = 0; i < pairs.length; i += 2) {
      const fresh = t.d0.mark(d, pairs[i], pairs[i + 1])
      if (fresh !== 0) {
        if ((fresh & 1) !== 0) t.v[pd + 0]++
      }
    }
  }
  if (s.b1[e] !== Infinity && s.b1[e] < t.b1[d]) {
    t.b1[d] = s.b1[e]
    t.a1[d] = s.a1[e]
  }
  if (s.b2[e] > t.b2[d]) {
    t.b2[d] = s.b2[e]
    t.a2[d] = s.a2[e]
  }
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
function rowsOf(t, entries, count, out, onRow) {
  let n = 0
  for (let i = 0; i < count; i++) {
    const e = entries[i]
    const p = e * 1
    const row = new Row(t.k0[e], t.ws[e], t.we[e], t.v[p + 0], (t.b1[e] === Infinity ? null : t.a1[e]), t.a2[e])
    out[n++] = row
  }
  return n
}
return { create: () => new Table(), add, combine, rowsOf }
