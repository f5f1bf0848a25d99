import { parentPort, workerData } from 'node:worker_threads'
import { STORIES } from './all-stories.ts'
import { mishapsOf } from './mishaps.ts'

/** What a thread gets: a story, all of whose points it strikes, or those that are chosen. */
export interface CertifyTask {
  story: string
  mishap: string | undefined
  point: number | undefined
}

const { story, mishap, point } = workerData as CertifyTask
const choose = (points: number): number[] => {
  const all = Array.from({ length: points }, (_, nr) => nr)
  return point === undefined ? all : all.filter((one) => one === point)
}
for (const one of STORIES.filter(({ name }) => name === story))
  for (const meets of mishapsOf(one.peers))
    if (mishap === undefined || mishap === `${meets.peer}: ${meets.name}`)
      parentPort?.postMessage(await one.certify(meets, choose))
