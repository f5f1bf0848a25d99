import { MillraceError } from '../model/errors.ts'
import { isFieldName } from '../model/schema.ts'

/**
 * Collects lines of generated JavaScript. The only place in Millrace that writes names and literals into code
 * and the only one that compiles text: everything that comes from a user passes `property` or `literal`.
 */
export class Emitter {
  readonly #lines: string[] = []

  line(text: string): void {
    this.#lines.push(text)
  }

  /** `.price`: access to a field. Refuses what is no field name, so a name can never carry code. */
  property(name: string): string {
    if (!isFieldName(name))
      throw new MillraceError('FIELD_NAME_INVALID', `field name ${JSON.stringify(name)} is not an identifier`)
    return `.${name}`
  }

  /** A JavaScript literal of the value; strings are quoted, also U+2028 and U+2029. */
  literal(value: string | number | boolean | null): string {
    if (typeof value === 'string')
      return JSON.stringify(value)
        .replace(/\u2028/g, '\\u2028')
        .replace(/\u2029/g, '\\u2029')
    if (Object.is(value, -0)) return '(-0)'
    if (typeof value === 'number' && value < 0) return `(${value})`
    return String(value)
  }

  text(): string {
    return this.#lines.join('\n')
  }

  /**
   * Compiles the collected lines as a function body with `scope`'s names as parameters and returns its result.
   * Each call gives functions of their own feedback (never shared between streams).
   */
  compile<T>(scope: Readonly<Record<string, unknown>>): T {
    const make = new Function(...Object.keys(scope), `'use strict'\n${this.text()}`)
    return make(...Object.values(scope)) as T
  }
}
