import { MillraceError } from '../../model/errors.ts'
import type { Net } from '../net.ts'
import type { AddressGuard } from './guarded-lookup.ts'
import { connectPlain, realNet } from './net.ts'

/** Plain TCP that leads to no guarded address: such connections reject with HTTP_FORBIDDEN. */
export function guardedNet(guard: AddressGuard): Net {
  return {
    listen: realNet.listen,
    async connect(address) {
      guard.check(address.host)
      try {
        return await connectPlain(address, guard.lookup)
      } catch (error) {
        throw error instanceof MillraceError && error.cause instanceof MillraceError ? error.cause : error
      }
    },
  }
}
