import { evaluateJsonPath } from './json-path.ts'
import type { Json, JsonObject, KubeObject } from './objects.ts'
import { arrayAt, isObject, numberAt, objectAt, stringAt } from './objects.ts'
import type { PrinterColumn, ResourceDefinition } from './resources.ts'

interface Column {
  name: string
  type: string
  format?: string
  description: string
  priority: number
  cell: (object: KubeObject, now: number) => Json
}

/** What each row carries of its object (`includeObject` of the request). */
export type RowObject = 'None' | 'Metadata' | 'Object'

/** The `meta.k8s.io/v1` Table that `kubectl get` asks for. `now` in ms since the epoch, for ages. */
export function tableOf(
  objects: readonly KubeObject[],
  definition: ResourceDefinition,
  rowObject: RowObject,
  listMetadata: JsonObject,
  now: number,
): JsonObject {
  const columns = columnsOf(definition)
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: listMetadata,
    columnDefinitions: columns.map(({ name, type, format, description, priority }) => ({
      name,
      type,
      format: format ?? '',
      description,
      priority,
    })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, now)),
      ...(rowObject === 'None' ? {} : { object: rowObject === 'Object' ? object : metadataOnly(object) }),
    })),
  }
}

export function metadataOnly(object: KubeObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata }
}

function columnsOf(definition: ResourceDefinition): Column[] {
  const name = column('Name', (object) => object.metadata.name, {
    format: 'name',
    description: 'Name must be unique within a namespace.',
  })
  const age = column('Age', (object, now) => ageOf(object.metadata.creationTimestamp, now))
  if (definition.columns !== undefined) return [name, ...definition.columns.map(customColumn)]
  const special = definition.custom ? undefined : builtinColumns[definition.kind]
  if (special === undefined) return [name, age]
  return definition.kind === 'Event'
    ? special
    : [name, ...special.filter((one) => one.priority === 0), age, ...special.filter((one) => one.priority > 0)]
}

function column(name: string, cell: Column['cell'], options: Partial<Column> = {}): Column {
  return { name, type: 'string', description: '', priority: 0, cell, ...options }
}

function customColumn({ name, type, format, description, jsonPath, priority }: PrinterColumn): Column {
  return {
    name,
    type: type === 'date' ? 'date' : type,
    description: description ?? '',
    priority: priority ?? 0,
    ...(format === undefined ? {} : { format }),
    cell: (object, now) => {
      const found = evaluateJsonPath(object, jsonPath)
      if (found.length === 0) return type === 'date' ? '<unknown>' : null
      if (type === 'date') return ageOf(typeof found[0] === 'string' ? found[0] : undefined, now)
      if (found.length > 1) return found.map(showCell).join(',')
      const only = found[0] ?? null
      return typeof only === 'object' && only !== null ? showCell(only) : only
    },
  }
}

const showCell = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

function ageOf(time: string | undefined, now: number): string {
  const since = time === undefined ? Number.NaN : Date.parse(time)
  return Number.isNaN(since) ? '<unknown>' : humanDuration(now - since)
}

/** Ages as `kubectl` writes them: 59s, 2m30s, 45m, 3h20m, 26h, 3d4h, 400d (apimachinery `duration.HumanDuration`). */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.trunc(seconds / 60)
  if (minutes < 10) return withRest(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.trunc(minutes / 60)
  if (hours < 8) return withRest(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.trunc(hours / 24)
  if (hours < 192) return withRest(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.trunc(days / 365)
  return days < 8 * 365 ? withRest(years, 'y', days % 365, 'd') : `${years}y`
}

const withRest = (whole: number, unit: string, rest: number, restUnit: string): string =>
  rest === 0 ? `${whole}${unit}` : `${whole}${unit}${rest}${restUnit}`

const builtinColumns: Readonly<Record<string, Column[]>> = {
  Pod: [
    column('Ready', readyOf),
    column('Status', podStatusOf),
    column('Restarts', restartsOf),
    column('IP', (pod) => stringAt(pod, 'status', 'podIP') ?? '<none>', { priority: 1 }),
    column('Node', (pod) => stringAt(pod, 'spec', 'nodeName') ?? '<none>', { priority: 1 }),
  ],
  Event: [
    column('Last Seen', (event, now) => ageOf(lastSeenOf(event), now)),
    column('Type', (event) => stringAt(event, 'type') ?? ''),
    column('Reason', (event) => stringAt(event, 'reason') ?? ''),
    column('Object', eventObjectOf),
    column('Message', (event) => (stringAt(event, 'message') ?? stringAt(event, 'note') ?? '').trim()),
    column(
      'Source',
      (event) =>
        stringAt(event, 'source', 'component') ??
        stringAt(event, 'reportingComponent') ??
        stringAt(event, 'reportingController') ??
        '',
      { priority: 1 },
    ),
    column('Count', (event) => numberAt(event, 'count') ?? numberAt(event, 'series', 'count') ?? 1, {
      priority: 1,
      type: 'integer',
    }),
    column('Name', (event) => event.metadata.name, { priority: 1 }),
  ],
  Namespace: [column('Status', (one) => stringAt(one, 'status', 'phase') ?? '')],
  Node: [
    column('Status', (node) => (conditionStatus(node, 'Ready') === 'True' ? 'Ready' : 'NotReady')),
    column('Roles', () => '<none>'),
    column('Version', (node) => stringAt(node, 'status', 'nodeInfo', 'kubeletVersion') ?? ''),
  ],
  ConfigMap: [
    column('Data', (one) => Object.keys({ ...objectAt(one, 'data'), ...objectAt(one, 'binaryData') }).length),
  ],
  ControllerRevision: [column('Controller', controllerOf), column('Revision', (one) => Number(one['revision'] ?? 0))],
  Secret: [
    column('Type', (one) => stringAt(one, 'type') ?? ''),
    column('Data', (one) => Object.keys(objectAt(one, 'data')).length),
  ],
  Service: [
    column('Type', (one) => stringAt(one, 'spec', 'type') ?? ''),
    column('Cluster-IP', (one) => stringAt(one, 'spec', 'clusterIP') ?? 'None'),
    column('External-IP', () => '<none>'),
    column('Port(s)', portsOf),
  ],
  Lease: [column('Holder', (one) => stringAt(one, 'spec', 'holderIdentity') ?? '')],
}

function controllerOf({ metadata }: KubeObject): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
  if (owner === undefined) return '<none>'
  const [group, version] = owner.apiVersion.split('/')
  return `${owner.kind.toLowerCase()}${version === undefined ? '' : `.${group ?? ''}`}/${owner.name}`
}

function conditionStatus(object: KubeObject, type: string): string | undefined {
  return stringAt(
    arrayAt(object, 'status', 'conditions').find((one) => stringAt(one, 'type') === type),
    'status',
  )
}

function lastSeenOf(event: KubeObject): string | undefined {
  return (
    stringAt(event, 'series', 'lastObservedTime') ??
    stringAt(event, 'lastTimestamp') ??
    stringAt(event, 'deprecatedLastTimestamp') ??
    stringAt(event, 'eventTime') ??
    event.metadata.creationTimestamp
  )
}

function eventObjectOf(event: KubeObject): string {
  const about = objectAt(event, isObject(event['involvedObject']) ? 'involvedObject' : 'regarding')
  return `${(stringAt(about, 'kind') ?? '').toLowerCase()}/${stringAt(about, 'name') ?? ''}`
}

function portsOf(service: KubeObject): string {
  const ports = arrayAt(service, 'spec', 'ports').map(
    (port) => `${numberAt(port, 'port') ?? '?'}/${stringAt(port, 'protocol') ?? 'TCP'}`,
  )
  return ports.length === 0 ? '<none>' : ports.join(',')
}

function readyOf(pod: KubeObject): string {
  const ready = arrayAt(pod, 'status', 'containerStatuses').filter(
    (status) => isObject(status) && status['ready'] === true,
  ).length
  return `${ready}/${arrayAt(pod, 'spec', 'containers').length}`
}

function restartsOf(pod: KubeObject, now: number): string {
  const statuses = arrayAt(pod, 'status', 'containerStatuses')
  const count = statuses.reduce<number>((sum, status) => sum + (numberAt(status, 'restartCount') ?? 0), 0)
  const last = statuses
    .map((status) => stringAt(status, 'lastState', 'terminated', 'finishedAt'))
    .filter((time) => time !== undefined)
    .toSorted()
    .at(-1)
  return count === 0 || last === undefined ? String(count) : `${count} (${ageOf(last, now)} ago)`
}

/** The word in the Status column: that of the containers where they have one, as `kubectl` shows it. */
function podStatusOf(pod: KubeObject): string {
  let text = stringAt(pod, 'status', 'reason') ?? stringAt(pod, 'status', 'phase') ?? 'Unknown'
  for (const status of arrayAt(pod, 'status', 'containerStatuses').toReversed()) {
    const waiting = stringAt(status, 'state', 'waiting', 'reason')
    const terminated = stringAt(status, 'state', 'terminated', 'reason')
    if (waiting !== undefined) text = waiting
    else if (terminated !== undefined) text = terminated
  }
  return pod.metadata.deletionTimestamp === undefined ? text : 'Terminating'
}
