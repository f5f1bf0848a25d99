import type { Fields } from '../../model/fields.ts'
import { VERBS } from '../../graph/verbs/all.ts'
import type { EntryForm, EntryReader } from '../../graph/verbs/verb.ts'

/** A form in which an entry may be written, and who reads it. `fields` are all that may stand in it. */
export interface KnownForm extends EntryForm {
  readonly reader: EntryReader
}

/** Fields that every entry may have. */
const COMMON_FIELDS: readonly string[] = ['id', 'from', 'replicas']

/** Every form by the field that names it. A map without a prototype: the names come from outside. */
const FORMS: ReadonlyMap<string, KnownForm> = new Map(
  Object.values(VERBS).flatMap(({ entry: reader, refusesRows }) => {
    const shared = refusesRows ? [...COMMON_FIELDS, 'onError'] : COMMON_FIELDS
    return reader === undefined
      ? []
      : Object.entries(reader.forms).map(
          ([name, form]) => [name, { ...form, fields: [...shared, ...form.fields], reader }] as const,
        )
  }),
)

export const FORM_NAMES: readonly string[] = [...FORMS.keys()]

export const ALL_FIELDS: readonly string[] = [...new Set([...FORMS.values()].flatMap(({ fields }) => fields))]

export function formOf(name: string): KnownForm | undefined {
  return FORMS.get(name)
}

/** The forms that the fields of an entry name, without those that are a part of another one. */
export function formsNamed(fields: Fields): string[] {
  const named = FORM_NAMES.filter((name) => Object.hasOwn(fields, name))
  return named.filter((name) => !named.some((other) => FORMS.get(other)?.takes.includes(name)))
}
