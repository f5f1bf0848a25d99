// ----- event time
return function maxEventTime(rows, count) {
  let max = (-9007199254740991)
  for (let i = 0; i < count; i++) {
    const t = rows[i].at
    if (t !== null && t > max) max = t
  }
  return max
}
