// ----- unnest
return function unnest(r, out) {
  const list = r.tags
  if (list === null || list.length === 0 && Array.isArray(list)) {
    return
  }
  if (!Array.isArray(list)) refuseArray("tags", list)
  for (let i = 0; i < list.length; i++) {
    let e = list[i]
    if (typeof e !== 'string') refuseField("tag", "string", e, list)
    out.push(new Row(r.id, r.channel, r.price, r.at, e))
  }
}
