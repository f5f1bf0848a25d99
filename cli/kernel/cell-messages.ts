import type { ErrorReport } from '../../runtime/model/errors.ts'

/** The first message of the kernel to the process of a cell. Sent over the channel of Node's `fork`. */
export interface RunCell {
  readonly cell: string
  /** The name of the cell in messages: `cell[3]`. */
  readonly name: string
  /** Where a cell in TypeScript is kept while it runs; other cells are not written anywhere. */
  readonly moduleFile: string
}

/** One view of a thing for each media type, as display_data has it. */
export type MimeBundle = Readonly<Record<string, string>>

/** A message of the process of a cell to the kernel. `ended` or `failed` is the last. */
export type CellMessage =
  /** Text of warnings, losses and progress, for the stream stderr. */
  | { readonly kind: 'note'; readonly text: string }
  /** Shows something, or replaces what was shown under that id. */
  | { readonly kind: 'view'; readonly view: string; readonly data: MimeBundle }
  | { readonly kind: 'failed'; readonly error: CellError }
  | { readonly kind: 'ended' }

/** Why a cell failed; `lines` is the text for people, with the places in the cell. */
export interface CellError {
  readonly code: string
  readonly message: string
  readonly lines: readonly string[]
}

/** An error in the form that notebooks show. */
export function cellError({ code, message, hint }: Pick<ErrorReport, 'code' | 'message' | 'hint'>): CellError {
  return { code, message, lines: [`${code} ${message}`, ...(hint === undefined ? [] : [`  ${hint}`])] }
}
