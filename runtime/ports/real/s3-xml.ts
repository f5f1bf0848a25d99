/**
 * Answers of S3 are flat XML without attributes or CDATA: elements are found by their names. Nothing here fails on
 * other text; what is absent is undefined.
 */

/** The text of the first element of a name. */
export function textIn(xml: string, name: string): string | undefined {
  return elementsIn(xml, name)[0]
}

/** The contents of all elements of a name, with entities resolved when they hold text only. */
export function elementsIn(xml: string, name: string): string[] {
  const found: string[] = []
  const [open, close] = [`<${name}>`, `</${name}>`]
  for (let at = xml.indexOf(open); at >= 0; ) {
    const end = xml.indexOf(close, at)
    if (end < 0) break
    const inner = xml.slice(at + open.length, end)
    found.push(inner.includes('<') ? inner : unescaped(inner))
    at = xml.indexOf(open, end)
  }
  return found
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

const NAMED = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['amp', '&'],
])

function unescaped(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,4}));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return NAMED.get(name) ?? whole
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
