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
    this.width = 4
    this.v = new Float64Array(32)
    this.textAt = null
    this.lastTexts = []
    this.h = new Int32Array(8)
    this.o0 = new Int32Array(8)
    this.l0 = new Int32Array(8)
    this.k1 = new Float64Array(8)
    this.tt = new Float64Array(8)
    this.cn = new Int32Array(8)
    this.ps = new Int32Array(8)
    this.nx = new Int32Array(8)
    this.hd = new Uint8Array(8)
    this.d2 = new DistinctNumbers()
    this.u = new Uint8Array(8)
  }
  clear() {
    this.n = 0
    this.chars = 0
    this.serial = ++serials
    this.lastChange = 0
    this.index.fill(0)
    this.textAt = null
    this.d2.clear()
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
    old = this.k1
    this.k1 = new Float64Array(cap)
    this.k1.set(old)
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
    this.v = new Float64Array(cap * 4)
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
    this.k1[e] = this.k1[x]
    this.nx[e] = this.nx[x]
    this.nx[x] = e + 1
    return e
  }
  find(v0, v1, h) {
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.same0(e, v0) && this.k1[e] === v1) return e
      p = p + 1 & mask
    }
    e = this.enter(h, p)
    this.put0(e, v0)
    this.k1[e] = v1
    return e
  }
  findOf(s, x) {
    const h = s.h[x]
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.sameOf0(e, s, x) && this.k1[e] === s.k1[x]) return e
      p = p + 1 & mask
    }
    e = this.enter(h, p)
    this.putOf0(e, s, x)
    this.k1[e] = s.k1[x]
    return e
  }
  seekOf(s, x) {
    const h = s.h[x]
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.sameOf0(e, s, x) && this.k1[e] === s.k1[x]) return e
      p = p + 1 & mask
    }
    return -1
  }
  findBytes(b0, from0, length0, v1, h) {
    const index = this.index, mask = this.mask
    let p = Math.imul(h, 0x9e3779b1) >>> this.shift, e
    while ((e = index[p] - 1) >= 0) {
      if (this.h[e] === h && this.sameBytes0(e, b0, from0, length0) && this.k1[e] === v1) return e
      p = p + 1 & mask
    }
    e = this.enter(h, p)
    this.putBytes0(e, b0, from0, length0)
    this.k1[e] = v1
    return e
  }
  sameBytes0(e, b, from, n) {
    if (this.l0[e] !== n) return false
    const text = this.text, at = this.o0[e]
    for (let i = 0; i < n; i++) if (text[at + i] !== b[from + i]) return false
    return true
  }
  putBytes0(e, b, from, n) {
    this.o0[e] = this.chars
    this.l0[e] = n
    if (n <= 0) return
    this.room(n)
    for (let i = 0, at = this.chars; i < n; i++) this.text[at + i] = b[from + i]
    this.chars += n
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
    const p = e * 4
    t.u[e] = 4
    t.tt[e] = Infinity
    t.cn[e] = 0
    t.ps[e] = 0
    t.nx[e] = 0
    t.hd[e] = 1
    t.v[p + 2] = 0
    t.v[p + 3] = -Infinity
    t.v[p + 0] = 0
    t.d2.forget(e)
    t.v[p + 1] = 0
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
        let x1 = r.price
        x1 += 0
        let x2 = r.price
        x2 += 0
        const f3 = (r.price > 100) === true
        const v0 = r.channel
        const v1 = r.id
        const h = mix32(Math.imul((v0 === null ? (0x9e3779b9 | 0) : hashString(v0)), 31) + hashNumber(v1) | 0)
        const g = h & 127
        const s = host.groupAt(g), t = s.table, had = t.n, e = t.find(v0, v1 + 0, h)
        const p = e * 4
        t.v[p + 2]++
        if (x1 > t.v[p + 3]) t.v[p + 3] = x1
        {
          const fresh = t.d2.mark(e, x2, 1 | (f3 ? 2 : 0))
          if (fresh !== 0) {
            if ((fresh & 1) !== 0) t.v[p + 0]++
            if ((fresh & 2) !== 0) t.v[p + 1]++
          }
        }
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
function hashBytes(bytes, from, length) {
  if (length < 0) return (0x9e3779b9 | 0)
  let h = 0x811c9dc5 | 0
  for (let i = from, end = from + length; i < end; i++) h = Math.imul(h ^ bytes[i], 0x01000193)
  return mix32(h)
}
const tables2 = [], entries2 = new Int32Array(1024)
const values2 = new Float64Array(1024), bits2 = new Int32Array(1024)
const hashes2 = new Int32Array(1024)
let noted2 = 0, looked2 = 0
function settle2() {
  let sum = 0
  for (let j = 0; j < noted2; j++) {
    const d = tables2[j].d2
    sum ^= d.look(hashes2[j] = d.hash(entries2[j], values2[j]))
  }
  looked2 = sum
  for (let j = 0; j < noted2; j++) {
    const t = tables2[j], e = entries2[j], p = e * t.width
    const fresh = t.d2.markHashed(hashes2[j], e, values2[j], bits2[j])
    if (fresh !== 0) {
      if ((fresh & 1) !== 0) t.v[p + 0]++
      if ((fresh & 2) !== 0) t.v[p + 1]++
    }
  }
  noted2 = 0
}
function addColumns(batch, now, host, onError) {
  const columns = batch.columns, count = batch.count
  let col0, bytes1, starts1, ends1, nul1, col2
  col0 = columns.numbers(0)
  bytes1 = columns.texts(1).bytes
  starts1 = columns.texts(1).starts
  ends1 = columns.texts(1).ends
  nul1 = columns.nulls(1)
  col2 = columns.numbers(2)
  let i = 0
  while (i < count) {
    try {
      for (; i < count; i++) {
        const r0 = col0[i]
        const r2 = col2[i]
        let x1 = r2
        x1 += 0
        let x2 = r2
        x2 += 0
        const f3 = (r2 > 100) === true
        const b0 = bytes1, from0 = starts1[i]
        const length0 = nul1 !== undefined && (nul1[i >> 3] & 1 << (i & 7)) !== 0 ? -1 : ends1[i] - from0
        const v1 = r0 + 0
        const h = mix32(Math.imul(hashBytes(b0, from0, length0), 31) + hashNumber(r0) | 0)
        const g = h & 127
        const s = host.groupAt(g), t = s.table, had = t.n, e = t.findBytes(b0, from0, length0, v1, h)
        const p = e * 4
        t.v[p + 2]++
        if (x1 > t.v[p + 3]) t.v[p + 3] = x1
        if (noted2 === 1024) settle2()
        tables2[noted2] = t
        entries2[noted2] = e
        values2[noted2] = x2
        bits2[noted2++] = 1 | (f3 ? 2 : 0)
        if (t.u[e] !== 5) {
          if ((t.u[e] & 1) === 0 && s.changed.push(e) === 1) host.touched(s)
          t.u[e] = 5
        }
      }
    } catch (error) {
      onError(error, batch.rows()[i], operatorId)
      i++
    }
  }
  settle2()
}
function combine(t, d, s, e) {
  const pd = d * 4, pe = e * 4
  t.v[pd + 2] += s.v[pe + 2]
  if (s.v[pe + 3] > t.v[pd + 3]) t.v[pd + 3] = s.v[pe + 3]
  {
    const pairs = s.d2.pairs(e)
    for (let i = 0; i < pairs.length; i += 2) {
      const fresh = t.d2.mark(d, pairs[i], pairs[i + 1])
      if (fresh !== 0) {
        if ((fresh & 1) !== 0) t.v[pd + 0]++
        if ((fresh & 2) !== 0) t.v[pd + 1]++
      }
    }
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
    const p = e * 4
    const row = new Row(t.l0[e] < 0 ? null : t.keyText(0, e, t.o0[e], t.l0[e]), t.k1[e], t.v[p + 2], t.v[p + 3], t.v[p + 0], t.v[p + 1])
    out[n++] = row
  }
  return n
}
function columnsOf(t, entries, from, end, out) {
  if (!(t.text instanceof Uint8Array)) return false
  const c1 = out.numbers(1)
  const c2 = out.numbers(2)
  const c3 = out.numbers(3)
  const c4 = out.numbers(4)
  const c5 = out.numbers(5)
  let n = out.count
  for (let i = from; i < end; i++, n++) {
    const e = entries[i]
    const p = e * 4
    if (t.l0[e] < 0) out.setNull(0, n)
    if (!out.putText(0, n, t.text, t.o0[e], Math.max(t.l0[e], 0))) return false
    c1[n] = t.k1[e]
    c2[n] = t.v[p + 2]
    c3[n] = t.v[p + 3]
    c4[n] = t.v[p + 0]
    c5[n] = t.v[p + 1]
  }
  out.count = n
  return true
}
return { create: () => new Table(), add, addColumns, combine, rowsOf, columnsOf }
