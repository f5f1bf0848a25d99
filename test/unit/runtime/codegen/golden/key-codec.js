// ----- key
return function keyOf(r) {
  const v0 = r.id
  const v1 = r.channel
  return (v0 + ';') + (v1 === null ? '~' : v1.length + ':' + v1)
}
