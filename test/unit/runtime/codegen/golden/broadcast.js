// ----- broadcast
function match(events, i, count, rules, out, onError) {
  for (; i < count && out.length < 2048; i++) {
    const l = events[i], mark = out.length
    try {
      for (let n = 0; n < rules.length; n++) {
        const r = rules[n]
        if (!((l.price > r.price))) continue
        const f0 = l.id
        out.push(new Row(f0))
      }
    } catch (error) {
      out.length = mark
      onError(error, l, operatorId)
    }
  }
  return i
}
function removes(r) {
  return (r.price === 0) === true
}
return { match, removes }

// ----- key
return function keyOf(r) {
  const v0 = r.channel
  return (v0 === null ? '~' : v0.length + ':' + v0)
}
