import { beforeAll, afterAll } from 'vitest'
import { VirtualObjects } from '../../../../runtime/ports/virtual/objects.ts'
import { VirtualWorld } from '../../../../runtime/ports/virtual/world.ts'
import { objectsSuite } from '../../../harness/objects-suite.ts'

const world = new VirtualWorld(1)
const storage = new VirtualObjects(world)
let isOver = false

beforeAll(() => {
  const turn = (): void => {
    if (isOver) return
    void world.run(() => isOver, 3_600_000).then(() => setImmediate(turn))
  }
  turn()
})
afterAll(() => {
  isOver = true
})

objectsSuite('objects in memory', () => storage.objectsOf('test'), { listed: 300, largeBytes: 9_000_000 })
