// ----- router
return function route(rows, count, outs, counts, onError) {
  let i = 0
  while (i < count) {
    try {
      for (; i < count; i++) {
        const r = rows[i]
        {
          const pass = (r.price > 100)
          if (pass) {
            outs[1][counts[1]++] = r
            continue
          }
        }
        {
          const pass = call1(r)
          if (pass !== true && pass !== false) refuseCondition(pass)
          if (pass) {
            outs[2][counts[2]++] = r
            continue
          }
        }
        outs[0][counts[0]++] = r
      }
    } catch (error) {
      onError(error, rows[i], "op")
      i++
    }
  }
}
