import type { Staged } from './committable.ts'
import type { Volume } from './volume.ts'

const MARK = /^(\d{1,15}-\d{1,9}-[0-9a-f]{1,32})-(\d{1,15})\.loaded(-upto)?$/

/** What the sink knows of staged rows by the files of their folder. */
export type StagedState = 'waiting' | 'loaded' | 'lost'

/**
 * Marks say which staged rows are loaded, since their files are deleted then, and a job may be restored from an older
 * checkpoint that still names them. A mark is a file beside them: `<writer>-<number>.loaded`. A writer that has loaded
 * everything of its own up to a number writes `….loaded-upto`, and deletes the mark before: so each writer leaves one.
 */
export class LoadedMarks {
  readonly #volume: Volume
  /** The newest own mark. */
  #last: string | undefined

  constructor(volume: Volume) {
    this.#volume = volume
  }

  /** Rows of which every file is gone may count as loaded by a later mark: files are deleted behind their mark only. */
  stateOf(staged: Staged, names: ReadonlySet<string>): StagedState {
    const missing = staged.files.filter((file) => !names.has(file)).length
    if (isMarked(staged, names, missing === staged.files.length)) return 'loaded'
    return missing === 0 ? 'waiting' : 'lost'
  }

  /** Called when rows are loaded, and before a file of them is deleted. */
  async put(staged: Staged, by: 'its writer' | 'another writer'): Promise<void> {
    const { folder, writer, number } = staged
    const name = `${folder}/${writer}-${number}.loaded`
    if (by === 'another writer') {
      await this.#volume.put(name, BODY)
      return
    }
    const upto = `${name}-upto`
    await this.#volume.put(upto, BODY)
    if (this.#last !== undefined && this.#last !== upto) await this.#volume.delete(this.#last)
    this.#last = upto
  }
}

/** No storage takes exception to a file with something in it. */
const BODY = Buffer.from('loaded\n')

function isMarked({ writer, number }: Staged, names: ReadonlySet<string>, areAllGone: boolean): boolean {
  for (const name of names) {
    const [, ofWriter, ofNumber, upto] = MARK.exec(name) ?? []
    if (ofWriter !== writer) continue
    if (Number(ofNumber) === number) return true
    if (areAllGone && upto !== undefined && Number(ofNumber) > number) return true
  }
  return false
}
