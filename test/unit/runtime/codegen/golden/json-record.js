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
  let v5 = o.tags
  if (v5 === undefined || v5 === null) refuseField(5, v5)
  return new Row(v0, v1, v2, v3, v4, v5)
}
