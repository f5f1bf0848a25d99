// ----- json record
return function readRecord(o) {
  if (typeof o !== 'object' || o === null || Array.isArray(o)) refuseRecord(o)
  let v0 = o.id
  if (v0 === undefined || v0 === null) refuseField(0, v0)
  if (!Number.isSafeInteger(v0)) v0 = readNumber(0, v0)
  v0 += 0
  let v1 = o.channel
  if (v1 === undefined || v1 === null) v1 = null
  else {
    if (typeof v1 !== 'string') refuseField(1, v1)
  }
  let v2 = o.price
  if (v2 === undefined || v2 === null) refuseField(2, v2)
  if (typeof v2 !== 'number' || v2 - v2 !== 0) v2 = readNumber(2, v2)
  v2 += 0
  let v3 = o.sold
  if (v3 === undefined || v3 === null) v3 = null
  else {
    if (typeof v3 !== 'boolean') refuseField(3, v3)
  }
  let v4 = o.at
  if (v4 === undefined || v4 === null) refuseField(4, v4)
  if (typeof v4 === 'string') {
    const t = parseIso(v4)
    if (t === undefined) refuseField(4, v4)
    v4 = t
  } else {
    if (!Number.isSafeInteger(v4)) v4 = readNumber(4, v4)
    v4 += 0
  }
  return new Row(v0, v1, v2, v3, v4)
}

// ----- passed row
return (o, record) => new Row(o.id, record, o.price, o.sold, record)

// ----- json scan
function literal(bytes, p, end, x, y, z) {
  return p + 4 <= end && bytes[p + 1] === x && bytes[p + 2] === y && bytes[p + 3] === z ? p + 4 : -1
}
// Behind the character that begins with a byte of no ASCII; -1 when it is not UTF-8 (RFC 3629, 4)
function behindWide(bytes, p) {
  const c = bytes[p], d = bytes[p + 1] ^ 128
  if (c < 0xe0) return c > 0xc1 && d < 64 ? p + 2 : -1
  if (d > 63 || (bytes[p + 2] ^ 128) > 63) return -1
  if (c < 0xf0) return (c === 0xe0 ? d > 31 : c !== 0xed || d < 32) ? p + 3 : -1
  return (bytes[p + 3] ^ 128) < 64 && (c === 0xf0 ? d > 15 : c < 0xf4 || (c === 0xf4 && d < 16)) ? p + 4 : -1
}
function skipScalar(bytes, p, end) {
  let c = bytes[p]
  if (c === 34) {
    for (p++; ; ) {
      while (STOP[bytes[p]] === 0) p++
      if (p >= end) return -1
      c = bytes[p]
      if (c === 34) return p + 1
      if (c < 128) return -1
      if (c < 0xe0 && c > 0xc1 && (bytes[p + 1] & 0xc0) === 128) p += 2
      else if ((p = behindWide(bytes, p)) < 0) return -1
    }
  }
  if (c === 116) return literal(bytes, p, end, 114, 117, 101)
  if (c === 110) return literal(bytes, p, end, 117, 108, 108)
  if (c === 102) return p + 1 < end && bytes[p + 1] === 97 ? literal(bytes, p + 1, end, 108, 115, 101) : -1
  if (c === 45) c = bytes[++p]
  const first = p
  if (!(c >= 48 && c <= 57)) return -1
  while (++p < end && (c = bytes[p]) >= 48 && c <= 57);
  if (p - first > 1 && bytes[first] === 48) return -1
  if (p < end && bytes[p] === 46) {
    const point = p
    while (++p < end && (c = bytes[p]) >= 48 && c <= 57);
    if (p - point < 2) return -1
  }
  return p < end && (bytes[p] === 101 || bytes[p] === 69) ? -1 : p
}
function digits(bytes, p, n) {
  let v = 0
  for (let i = 0; i < n; i++) {
    const c = bytes[p + i] - 48
    if (!(c >= 0 && c <= 9)) return NaN
    v = v * 10 + c
  }
  return v
}
function isoAt(bytes, p, end) {
  if (p + 20 >= end || bytes[p + 4] !== 45 || bytes[p + 7] !== 45 || bytes[p + 10] !== 84
    || bytes[p + 13] !== 58 || bytes[p + 16] !== 58) return NaN
  let ms = 0
  if (bytes[p + 19] === 46) {
    if (p + 24 >= end || bytes[p + 23] !== 90 || bytes[p + 24] !== 34) return NaN
    ms = digits(bytes, p + 20, 3)
  } else if (bytes[p + 19] !== 90 || bytes[p + 20] !== 34) return NaN
  const year = digits(bytes, p, 4), month = digits(bytes, p + 5, 2), day = digits(bytes, p + 8, 2)
  const hour = digits(bytes, p + 11, 2), minute = digits(bytes, p + 14, 2), second = digits(bytes, p + 17, 2)
  return isoTimestamp(year, month, day, hour, minute, second, ms)
}
let viewed, view
return function scan(bytes, start, end, text, base) {
  let p = start, c = 0, wide = false
  if (bytes !== viewed) {
    viewed = bytes
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
  let joined = 0
  let v0 = null
  let v1 = null, q1 = -1, e1 = -1
  let v2 = null
  let v3 = null
  let v4 = null, q4 = -1, e4 = -1
  if (p + 6 > end || view.getUint32(p) !== 2065852772 || bytes[p + 4] !== 34 || bytes[p + 5] !== 58) return null
  p += 6
  if (p + 1 >= end) return null
  c = bytes[p]
  {
    const neg = c === 45
    if (neg) c = bytes[++p]
    const k = p
    let w = c - 48 | 0
    if (!(c >= 48 && c <= 57)) return null
    const nine = p + 9 < end ? p + 9 : end
    while (++p < nine && (c = bytes[p]) >= 48 && c <= 57) w = Math.imul(w, 10) + (c - 48) | 0
    let m = w
    if (p === nine) {
      p--
      while (++p < end && (c = bytes[p]) >= 48 && c <= 57) m = m * 10 + (c - 48)
    }
    if (p - k > 15 || (p - k > 1 && bytes[k] === 48)) return null
    v0 = neg ? 0 - m : m
  }
  if (p + 11 > end || view.getUint32(p) !== 740451176 || view.getUint32(p + 4) !== 1634627173 || bytes[p + 8] !== 108 || bytes[p + 9] !== 34 || bytes[p + 10] !== 58) return null
  p += 11
  if (p + 1 >= end) return null
  c = bytes[p]
  if (c === 110) {
    q1 = p
    p = literal(bytes, p, end, 117, 108, 108)
    if (p < 0) return null
    e1 = p
  } else {
    if (c !== 34) return null
    q1 = p++
    while (p + 4 <= end) {
      const x = view.getInt32(p)
      if (((x | (x ^ 0x22222222) - 0x01010101 | (x ^ 0x5c5c5c5c) - 0x01010101 | x - 0x20202020) & 0x80808080) !== 0) break
      p += 4
    }
    for (;;) {
      while (STOP[bytes[p]] === 0) p++
      if (p >= end) return null
      c = bytes[p]
      if (c === 34) break
      if (c < 128) return null
      wide = true
      p = behindWide(bytes, p)
      if (p < 0) return null
    }
    e1 = ++p
  }
  if (p + 9 > end || view.getUint32(p) !== 740454514 || view.getUint32(p + 4) !== 1768121634 || bytes[p + 8] !== 58) return null
  p += 9
  if (p + 1 >= end) return null
  c = bytes[p]
  {
    const neg = c === 45
    if (neg) c = bytes[++p]
    const k = p
    let w = c - 48 | 0
    if (!(c >= 48 && c <= 57)) return null
    const nine = p + 9 < end ? p + 9 : end
    while (++p < nine && (c = bytes[p]) >= 48 && c <= 57) w = Math.imul(w, 10) + (c - 48) | 0
    let m = w
    if (p === nine) {
      p--
      while (++p < end && (c = bytes[p]) >= 48 && c <= 57) m = m * 10 + (c - 48)
    }
    if (p - k > 15 || (p - k > 1 && bytes[k] === 48)) return null
    if (p < end && bytes[p] === 46) {
      const point = p
      while (++p < end && (c = bytes[p]) >= 48 && c <= 57) m = m * 10 + (c - 48)
      if (p - point < 2 || p - k > 16) return null
      m /= POWERS[p - point - 1]
    }
    v2 = neg ? 0 - m : m
  }
  if (p + 8 > end || view.getUint32(p) !== 740455279 || view.getUint32(p + 4) !== 1818501690) return null
  p += 8
  if (p + 1 >= end) return null
  c = bytes[p]
  if (c === 110) {
    p = literal(bytes, p, end, 117, 108, 108)
    if (p < 0) return null
  } else {
    if (c === 116) {
      p = literal(bytes, p, end, 114, 117, 101)
      v3 = true
    } else if (c === 102 && bytes[p + 1] === 97) {
      p = literal(bytes, p + 1, end, 108, 115, 101)
      v3 = false
    } else return null
    if (p < 0) return null
  }
  if (p + 9 > end || view.getUint32(p) !== 740451704 || view.getUint32(p + 4) !== 1953653026 || bytes[p + 8] !== 58) return null
  p += 9
  p = skipScalar(bytes, p, end)
  if (p < 0) return null
  if (p + 6 > end || view.getUint32(p) !== 740450676 || bytes[p + 4] !== 34 || bytes[p + 5] !== 58) return null
  p += 6
  if (p + 1 >= end) return null
  c = bytes[p]
  if (c === 34) {
    v4 = isoAt(bytes, p + 1, end)
    if (v4 !== v4) return null
    p += bytes[p + 21] === 34 ? 22 : 26
    joined = 0
  } else {
    {
      q4 = p
      if (c === 45) c = bytes[++p]
      const k = p
      if (!(c >= 48 && c <= 57)) return null
      while (++p < end && (c = bytes[p]) >= 48 && c <= 57);
      if (p - k > 15 || (bytes[k] === 48 && (p - k > 1 || k !== q4))) return null
      e4 = p
    }
  }
  if (p + 1 > end || bytes[p] !== 125) return null
  p += 1
  if (p !== end) return null
  const record = passed.record(bytes), places = passed.places
  places[record + 1] = joined
  if (q1 >= 0) {
    places[record + 2] = q1
    places[record + 2 + 1] = e1 - q1
  } else {
    const before = passed.sideBytes
    places[record + 2] = passed.aside(v1)
    places[record + 2 + 1] = passed.sideBytes - before
  }
  if (q4 >= 0) {
    places[record + 4] = q4
    places[record + 4 + 1] = e4 - q4
  } else {
    const before = passed.sideBytes
    places[record + 4] = passed.aside(v4)
    places[record + 4 + 1] = passed.sideBytes - before
  }
  return new Row(v0, record, v2, v3, record)
}
