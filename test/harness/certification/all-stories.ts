import { certifiable } from './certify.ts'
import type { Certifiable } from './certify.ts'
import { DRUID_STORIES } from './druid-stories.ts'
import { JOB_STORIES } from './job-stories.ts'

/** Every operation on every kind of object that the operator looks after. */
export const STORIES: readonly Certifiable[] = [...JOB_STORIES.map(certifiable), ...DRUID_STORIES.map(certifiable)]
