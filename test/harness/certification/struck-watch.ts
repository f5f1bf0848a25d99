import { KubeError } from '../../../operator/kube/errors.ts'
import type { Kube, Watch, WatchEnd, WatchEvent, WatchOptions } from '../../../operator/kube/kube.ts'
import type { KubeObject } from '../../../operator/kube/objects.ts'
import type { ResourceType } from '../../../operator/kube/resource-type.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import type { WatchFate } from './mishaps.ts'

const LATE_MS = 3_000
/** As long as the real client waits for a sign of life. */
const SILENT_MS = 90_000

/** Says what becomes of a change that is about to be told; undefined: it is told. */
type Meets = (resource: ResourceType<KubeObject>, event: WatchEvent<KubeObject>) => WatchFate | undefined

/** The watches of `kube`, whose changes meet what `meets` says. */
export function struckWatch(kube: Kube, clock: Clock, meets: Meets): Kube['watch'] {
  return <T extends KubeObject>(
    resource: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ): Watch => {
    let state: 'told' | 'late' | 'lost' | 'over' = 'told'
    let tellEnd: (end: WatchEnd) => void = () => undefined
    const ended = new Promise<WatchEnd>((resolve) => {
      tellEnd = resolve
    })
    const end = (how: WatchEnd): void => {
      if (state === 'over') return
      state = 'over'
      source?.stop()
      tellEnd(how)
    }
    const broken = (): void => {
      end({ kind: 'failed', error: new KubeError('the watch broke', { status: 0, reason: 'Reset' }) })
    }
    const tell = (event: WatchEvent<T>): void => {
      if (state === 'told') onEvent(event)
      if (state === 'late')
        clock.after(LATE_MS, () => {
          if (state === 'late') onEvent(event)
        })
    }
    const source: Watch | undefined = kube.watch(resource, options, (event) => {
      if (state === 'over') return
      const fate = meets(resource, event)
      if (fate === 'closed' || fate === 'gone') end({ kind: fate })
      else if (fate === 'failed') broken()
      else {
        if (fate === 'late' || fate === 'lost') state = fate
        if (fate === 'lost') clock.after(SILENT_MS, broken)
        tell(event)
        if (fate === 'twice') tell(event)
      }
    })
    return {
      ended,
      stop: () => {
        end({ kind: 'closed' })
      },
    }
  }
}
