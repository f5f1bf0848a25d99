import type { Field } from '../../model/schema.ts'
import { type Code, identifier, joined, js, NOTHING, getter } from '../emitter.ts'
import { isKeptAsText, storageOf } from '../../model/type-traits.ts'

/** So many texts that were read stay strings, none of more than so many bytes. A pane's texts never change. */
const KEPT_TEXTS = 512,
  LONGEST_KEPT = 2048

/**
 * Reads row e of log t like an object of the row's class; call `$load` first where texts are read. Members that are
 * not fields begin with $, as no field does.
 */
export function cursorClass(name: string, fields: readonly Field[]): Code {
  // the same row is often wanted again, by the next row that comes or by one soon after: making a string of bytes
  // is a native call
  const load = js`
    const t = this.$t, e = this.$e
    if (this.$st === t && this.$se === e && this.$sv === t.version) return
    this.$st = t
    this.$se = e
    this.$sv = t.version
    const b = t.b[e]
    if (b === 0 || b > ${LONGEST_KEPT}) {
      this.$s = t.textOf(e)
      return
    }
    const o = t.o[e], p = Math.imul(o, 0x9e3779b1) >>> ${32 - Math.log2(KEPT_TEXTS)}
    if (this.$ko[p] === o && this.$kt[p] === t.texts) {
      this.$s = this.$ks[p]
      return
    }
    this.$ko[p] = o
    this.$kt[p] = t.texts
    this.$s = this.$ks[p] = t.textOf(e)`
  return js`
    class ${identifier(name)}Cursor {
      constructor() {
        this.$t = new ${identifier(name)}Log(null)
        this.$e = 0
        this.$s = ''
        this.$st = null
        this.$se = 0
        this.$sv = 0
        this.$ks = []
        this.$ko = new Int32Array(${KEPT_TEXTS})
        this.$kt = []
      }
      $load() {
        ${fields.some(isKeptAsText) ? load : NOTHING}
      }
      ${fields.map(
        (field, index) => js`
          get ${getter(field.name)}() {
            const t = this.$t, e = this.$e
            ${getField(fields, field, index)}
          }`,
      )}
    }`
}

function getField(fields: readonly Field[], field: Field, index: number): Code {
  if (storageOf(field) === 'bit')
    return field.nullable
      ? js`return t.c${index}[e] === 2 ? null : t.c${index}[e] === 1`
      : js`return t.c${index}[e] === 1`
  if (!isKeptAsText(field))
    return js`
      const v = t.c${index}[e]
      return ${field.nullable ? js`v !== v ? null : v` : js`v`}`
  const text = js`this.$s.slice(a, a + n)`
  return js`
    const n = t.l${index}[e]
    ${field.nullable ? js`if (n < 0) return null` : NOTHING}
    const a = ${textStart(fields, index, js`t`)}
    return ${storageOf(field) === 'json' ? js`parseJson(${text})` : text}`
}

/** Where a text field begins within the text of row e. */
export function textStart(fields: readonly Field[], at: number, table: Code): Code {
  const before = fields.slice(0, at).flatMap((field, index) => {
    if (!isKeptAsText(field)) return []
    const length = js`${table}.l${index}[e]`
    return [field.nullable ? js`(${length} > 0 ? ${length} : 0)` : length]
  })
  return before.length === 0 ? js`0` : joined(before, ' + ')
}
