import { MillraceError } from '../../model/errors.ts'
import type { Net } from '../net.ts'
import type { AddressGuard } from './guarded-lookup.ts'
import { connectTo, realNet } from './net.ts'

/** TCP, with TLS where an address has it, that leads to no guarded address: such connections reject with HTTP_FORBIDDEN. */
export function guardedNet(guard: AddressGuard): Net {
  return {
    listen: realNet.listen,
    async connect(address) {
      guard.check(address.host)
      try {
        return await connectTo(address, guard.lookup)
      } catch (error) {
        throw error instanceof MillraceError && error.cause instanceof MillraceError ? error.cause : error
      }
    },
  }
}
