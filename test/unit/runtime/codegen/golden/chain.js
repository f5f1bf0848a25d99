// ----- chain
const dropped = new Float64Array(3)
return Object.assign(function chain(rows, count, out, onError) {
  let n = 0, i = 0, step = 0
  let dropped0 = 0
  let dropped2 = 0
  while (i < count) {
    try {
      for (; i < count; i++) {
        const r0 = rows[i]
        let pass0
        {
          pass0 = ((r0.price > 100) && ((r0.channel ?? "none") !== "test"))
        }
        if (!pass0) {
          dropped0++
          continue
        }
        step = 1
        let r1
        {
          let r0t0
          const s1v0 = r0.id
          const s1v1 = ((r0t0 = r0.channel) === null ? null : ('' + r0t0 + ":" + r0.id))
          const s1v2 = Math.floor((r0.id / 2))
          if (((s1v2 | 0) !== s1v2 && !Number.isSafeInteger(s1v2))) refuseValue("half", "long", s1v2, "Math.floor(id / 2)")
          r1 = new Row1(s1v0, s1v1, s1v2)
        }
        step = 2
        const pass2 = call2(r1)
        if (pass2 !== true) {
          if (pass2 !== false) refuseCondition(pass2)
          dropped2++
          step = 0
          continue
        }
        out[n++] = r1
        step = 0
      }
    } catch (error) {
      onError(error, rows[i], operatorIds[step])
      i++
      step = 0
    }
  }
  dropped[0] += dropped0
  dropped[2] += dropped2
  return n
}, { dropped })
