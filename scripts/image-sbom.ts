/** The members of a CycloneDX document that we read or write. */
export interface Sbom {
  serialNumber?: string
  metadata: { timestamp?: string; component: Component }
  components: Component[]
  dependencies: { ref: string; dependsOn?: string[] }[]
}

interface Component {
  'bom-ref': string
  type: string
  name: string
  version?: string
  [member: string]: unknown
}

/**
 * The bill of materials of the image: of all that npm has installed, what the bundles really contain, and Node. `contained`
 * has name@version of each package. The same sources give the same text: neither time nor number of the document is kept.
 */
export function imageSbom(installed: Sbom, contained: ReadonlySet<string>, nodeVersion: string): Sbom {
  const unknown = [...contained].filter((ref) => !installed.components.some((one) => one['bom-ref'] === ref))
  if (unknown.length > 0) throw new Error(`the bundles contain ${unknown.join(', ')}, which npm sbom does not list`)
  const { serialNumber: _, ...document } = installed
  const { timestamp: __, ...metadata } = installed.metadata
  const image = { ...metadata.component, type: 'container', name: 'millrace' }
  const node: Component = {
    'bom-ref': `node@${nodeVersion}`,
    type: 'platform',
    name: 'node',
    version: nodeVersion,
    purl: `pkg:generic/node@${nodeVersion}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${nodeVersion}:*:*:*:*:*:*:*`,
  }
  const isIn = (ref: string): boolean => contained.has(ref)
  return {
    ...document,
    metadata: { ...metadata, component: image },
    components: [node, ...installed.components.filter((one) => isIn(one['bom-ref']))],
    dependencies: installed.dependencies
      .filter(({ ref }) => isIn(ref) || ref === image['bom-ref'])
      .map(({ ref, dependsOn = [] }) => ({
        ref,
        dependsOn: [...(ref === image['bom-ref'] ? [node['bom-ref']] : []), ...dependsOn.filter(isIn)],
      })),
  }
}

/** The folder of the package that a bundled file is from; undefined for files of our own. */
export function packageFolder(file: string): string | undefined {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]
}
