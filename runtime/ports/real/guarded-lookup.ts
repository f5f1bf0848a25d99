import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { isIP } from 'node:net'
import { GUARDED_BLOCKS, isInBlocks, parseAddressBlock, type AddressBlock } from '../../model/address-blocks.ts'
import { MillraceError } from '../../model/errors.ts'

/** dns.lookup with `all`, or a stand-in of tests. */
export type Resolve = (
  host: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** As net.connect wants it: one address, or all of them. */
type Lookup = (
  host: string,
  options: LookupOptions,
  done: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
) => void

/** Keeps connections away from guarded addresses (model/address-blocks.ts), but for those that `allowed` names. */
export class AddressGuard {
  readonly #allowed: readonly AddressBlock[]
  readonly #guarded = blocksOf(GUARDED_BLOCKS)
  readonly #resolve: Resolve

  constructor(allowed: readonly string[], resolve: Resolve = lookup) {
    this.#allowed = blocksOf(allowed)
    this.#resolve = resolve
  }

  /**
   * Resolves a name for net.connect, and fails when any of its addresses is guarded. The connection goes to what this
   * returned: a name that resolves otherwise a moment later leads nowhere else.
   */
  readonly lookup: Lookup = (host, options, done) => {
    this.#resolve(host, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      const refused = error ?? this.#refusal(host, addresses)
      if (refused !== undefined) done(refused, '')
      else if (options.all === true) done(null, addresses)
      else done(null, first?.address ?? '', first?.family)
    })
  }

  /** Throws HTTP_FORBIDDEN for a host that is a guarded address: net.connect does not look up addresses. */
  check(host: string): void {
    const address = host.replace(/^\[(.*)\]$/, '$1')
    const refused = isIP(address) === 0 ? undefined : this.#refusal(host, [{ address, family: 0 }])
    if (refused !== undefined) throw refused
  }

  #refusal(host: string, addresses: readonly LookupAddress[]): MillraceError | undefined {
    const guarded = addresses.find(
      ({ address }) => isInBlocks(address, this.#guarded) && !isInBlocks(address, this.#allowed),
    )
    return guarded === undefined ? undefined : forbidden(host, guarded.address)
  }
}

function forbidden(host: string, address: string): MillraceError {
  const of = host === address ? '' : `, which is ${address},`
  return new MillraceError(
    'HTTP_FORBIDDEN',
    `${host}${of} may not be called by a job: it is the pod's own, link-local, or serves credentials of the machine`,
    { domain: 'user', hint: 'an administrator allows it with jobs.httpAddresses of the chart' },
  )
}

function blocksOf(texts: readonly string[]): AddressBlock[] {
  return texts.map((text) => {
    const block = parseAddressBlock(text)
    if (block === undefined)
      throw new MillraceError('CONFIG_INVALID', `${JSON.stringify(text)} is not a block of addresses`)
    return block
  })
}
