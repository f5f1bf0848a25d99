/** What a request under /api or /apis is about, taken from its path and method. */
export interface RequestInfo {
  verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'
  group: string
  version: string
  namespace: string
  plural: string
  name: string
  subresource: string
}

/** Reads `/api/v1/namespaces/a/pods/b/log`, `/apis/g/v/plural/name/scale`, …; undefined for other paths and methods. */
export function requestInfoOf(method: string, url: URL): RequestInfo | undefined {
  const parts = url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent)
  const prefix = parts.shift()
  if (prefix !== 'api' && prefix !== 'apis') return undefined
  const group = prefix === 'api' ? '' : parts.shift()
  const version = parts.shift()
  if (group === undefined || version === undefined) return undefined
  let namespace = ''
  // `/namespaces/x` alone is the object x; with more behind it, it is the namespace of what follows.
  if (parts[0] === 'namespaces' && parts.length > 2 && parts[2] !== 'status' && parts[2] !== 'finalize') {
    namespace = parts[1] ?? ''
    parts.splice(0, 2)
  }
  const [plural, name = '', subresource = '', ...rest] = parts
  if (plural === undefined || rest.length > 0) return undefined
  const verb = verbOf(method, name !== '', url.searchParams.get('watch'))
  return verb === undefined ? undefined : { verb, group, version, namespace, plural, name, subresource }
}

function verbOf(method: string, isNamed: boolean, watch: string | null): RequestInfo['verb'] | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (watch === 'true' || watch === '1') return 'watch'
      return isNamed ? 'get' : 'list'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return isNamed ? 'delete' : 'deletecollection'
    default:
      return undefined
  }
}
