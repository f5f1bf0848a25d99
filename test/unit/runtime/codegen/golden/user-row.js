// ----- user row
return function makeRow(o) {
  if (typeof o !== 'object' || o === null) refuseObject(o)
  let v0 = o.id
  if (((v0 | 0) !== v0 && !Number.isSafeInteger(v0))) refuseField("id", "long", v0, o)
  let v1 = o.channel
  if (v1 === undefined) v1 = null
  else if (v1 !== null && typeof v1 !== 'string') refuseField("channel", "string", v1, o)
  let v2 = o.price
  if ((typeof v2 !== 'number' || v2 - v2 !== 0)) refuseField("price", "double", v2, o)
  let v3 = o.sold
  if (v3 === undefined) v3 = null
  else if (v3 !== null && typeof v3 !== 'boolean') refuseField("sold", "boolean", v3, o)
  let v4 = o.at
  if (((v4 | 0) !== v4 && !Number.isSafeInteger(v4))) refuseField("at", "timestamp", v4, o)
  let v5 = o.tags
  if ((v5 === null || !isJson(v5, 0))) refuseField("tags", "json", v5, o)
  return new Row(v0, v1, v2, v3, v4, v5)
}
