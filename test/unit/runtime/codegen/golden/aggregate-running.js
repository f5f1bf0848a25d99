// ----- aggregate
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
    this.width = 3
    this.v = new Float64Array(24)
    this.textAt = null
    this.lastTexts = []
    this.h = new Int32Array(8)
    this.o0 = new Int32Array(8)
    this.l0 = new Int32Array(8)
    this.tt = new Float64Array(8)
    this.cn = new Int32Array(8)
    this.ps = new Int32Array(8)
    this.nx = new Int32Array(8)
    this.hd = new Uint8Array(8)
    this.a1 = []
    this.a2 = []
    this.u = new Uint8Array(8)
  }
  clear() {
    this.n = 0
    this.chars = 0
    this.serial = ++serials
    this.lastChange = 0
    this.index.fill(0)
    this.textAt = null
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
    old = this.o0
    this.o0 = new Int32Array(cap)
    this.o0.set(old)
    old = this.l0
    this.l0 = new Int32Array(cap)
    this.l0.set(old)
    old = this.tt
    this.tt = new Float64Array(cap)
    this.tt.set(old)
    old = this.cn
    this.cn = new Int32Array(cap)
    this.cn.set(old)
    old = this.ps
    this.ps = new Int32Array(cap)
    this.ps.set(old)
    old = this.nx
    this.nx = new Int32Array(cap)
    this.nx.set(old)
    old = this.hd
    this.hd = new Uint8Array(cap)
    this.hd.set(old)
    old = this.u
    this.u = new Uint8Array(cap)
    this.u.set(old)
    old = this.v
    this.v = new Float64Array(cap * 3)
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
    this.o0[e] = this.o0[x]
    this.l0[e] = this.l0[x]
    this.nx[e] = this.nx[x]
    this.nx[x] = e + 1
    return e
  }
  find(v0, h) {
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.same0(e, v0)) return e
      p = p + 1 & mask
    }
    e = this.enter(h, p)
    this.put0(e, v0)
    return e
  }
  findOf(s, x) {
    const h = s.h[x]
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.sameOf0(e, s, x)) return e
      p = p + 1 & mask
    }
    e = this.enter(h, p)
    this.putOf0(e, s, x)
    return e
  }
  seekOf(s, x) {
    const h = s.h[x]
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.sameOf0(e, s, x)) return e
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
    this.chars = this.o0[e]
  }
  start(e) {
    const t = this
    const p = e * 3
    t.u[e] = 4
    t.tt[e] = Infinity
    t.cn[e] = 0
    t.ps[e] = 0
    t.nx[e] = 0
    t.hd[e] = 1
    t.v[p + 0] = 0
    t.v[p + 1] = 0
    t.v[p + 2] = 0
    t.a1[e] = new QuantileSketch()
    t.a2[e] = null
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
    const p = e * 1 + i & 255
    if (this.textAt[p] !== o + 1) {
      this.textAt[p] = o + 1
      this.lastTexts[p] = textOf(this.text, o, o + l)
    }
    return this.lastTexts[p]
  }
  widen() { if (this.text instanceof Uint8Array) this.text = Uint16Array.from(this.text) }
  same0(e, v) {
    if (v === null) return this.l0[e] === -1
    const n = v.length
    if (this.l0[e] !== n) return false
    const text = this.text, at = this.o0[e]
    for (let i = 0; i < n; i++) if (text[at + i] !== v.charCodeAt(i)) return false
    return true
  }
  put0(e, v) {
    this.o0[e] = this.chars
    if (v === null) {
      this.l0[e] = -1
      return
    }
    const n = v.length
    this.l0[e] = n
    this.room(n)
    for (let i = 0, at = this.chars; i < n; i++) {
      const c = v.charCodeAt(i)
      if (c > 255) this.widen()
      this.text[at + i] = c
    }
    this.chars += n
  }
  sameOf0(e, s, x) {
    const n = s.l0[x]
    if (this.l0[e] !== n) return false
    const text = this.text, other = s.text, at = this.o0[e], from = s.o0[x]
    for (let i = 0; i < n; i++) if (text[at + i] !== other[from + i]) return false
    return true
  }
  putOf0(e, s, x) {
    const n = s.l0[x]
    this.o0[e] = this.chars
    this.l0[e] = n
    if (n <= 0) return
    this.room(n)
    if (s.text instanceof Uint16Array) this.widen()
    const text = this.text, other = s.text, from = s.o0[x], at = this.chars
    for (let i = 0; i < n; i++) text[at + i] = other[from + i]
    this.chars += n
  }
}
const time = 0, one = [0], last = []
function refuse() { throw new RangeError('a sum was kept that is not exact') }
function add(rows, count, now, host, out, onError) {
  let made = 0, i = 0
  while (i < count) {
    try {
      for (; i < count; i++) {
        const r = rows[i]
        let x0 = r.price
        x0 += 0
        let x1 = r.price
        x1 += 0
        let x2 = r.channel
        const v0 = r.channel
        const h = (v0 === null ? (0x9e3779b9 | 0) : hashString(v0))
        const g = h & 127
        const s = host.groupAt(g), t = s.table, had = t.n, e = t.find(v0, h)
        if (t.tt[e] + 3600000 <= now) {
          const bits = t.u[e]
          t.start(e)
          t.u[e] |= bits
        }
        const p = e * 3
        let m0 = 0, n0 = 0
        const o0 = x0 - t.v[p + 2]
        m0 = t.v[p + 2] + o0 / (t.v[p + 1] + 1)
        n0 = t.v[p + 0] + o0 * (x0 - m0)
        if (n0 - n0 !== 0) refuseSum("spread", t.v[p + 0], x0)
        t.v[p + 0] = n0
        t.v[p + 2] = m0
        t.v[p + 1]++
        t.a1[e].add(x1)
        if (x2 !== null) {
          if (t.a2[e] === null || x2 > t.a2[e]) t.a2[e] = copyText(x2)
        }
        t.tt[e] = now
        if (t.u[e] !== 5) {
          if ((t.u[e] & 1) === 0 && s.changed.push(e) === 1) host.touched(s)
          t.u[e] = 5
        }
      }
    } catch (error) {
      onError(error, rows[i], operatorId)
      i++
    }
  }
  return made
}
function combine(t, d, s, e) {
  const pd = d * 3, pe = e * 3
  {
    const more = s.v[pe + 1]
    if (more > 0) {
      const had = t.v[pd + 1], all = had + more, off = s.v[pe + 2] - t.v[pd + 2]
      t.v[pd + 0] += s.v[pe + 0] + off * (had * more / all) * off
      t.v[pd + 2] += off * more / all
      t.v[pd + 1] = all
    }
  }
  t.a1[d].merge(s.a1[e])
  if (s.a2[e] !== null && (t.a2[d] === null || s.a2[e] > t.a2[d])) t.a2[d] = s.a2[e]
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
    const p = e * 3
    const row = new Row(t.l0[e] < 0 ? null : t.keyText(0, e, t.o0[e], t.l0[e]), (t.v[p + 1] < 2 ? null : Math.sqrt(t.v[p + 0] / (t.v[p + 1] - 1))), t.a1[e].result(0.9), t.a2[e])
    if (t.v[p + 0] - t.v[p + 0] !== 0) onRow(row); else out[n++] = row
  }
  return n
}
return { create: () => new Table(), add, combine, rowsOf }
