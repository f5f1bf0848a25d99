import type { RecordBounds } from '../../runtime/codegen/contracts.ts'
import type { FormatContext } from '../../runtime/formats/format.ts'
import type { RegisteredSchema } from '../../runtime/formats/schema-registry.ts'

/** A schema registry in memory, behind the HTTP port. */
export interface FakeRegistry {
  ports: FormatContext['ports']
  subjects: Map<string, number[]>
  add(kind: RegisteredSchema['kind'], text: string): number
  isDown: boolean
  nowMs: number
  /** What it answers to everything. */
  refusal: { status: number; body: string } | undefined
}

export function registryPorts(): FakeRegistry {
  const schemas: RegisteredSchema[] = []
  const add = (kind: RegisteredSchema['kind'], text: string): number => {
    const known = schemas.findIndex((schema) => schema.text === text)
    return known >= 0 ? known + 1 : schemas.push({ kind, text })
  }
  const registry: FakeRegistry = {
    subjects: new Map(),
    add,
    isDown: false,
    nowMs: 0,
    refusal: undefined,
    ports: {
      files: {} as FormatContext['ports']['files'],
      clock: {
        now: () => registry.nowMs,
        after: () => () => undefined,
        nextTurn: (run) => {
          queueMicrotask(run)
        },
      },
      httpClient: {
        send({ method, url, body }) {
          if (registry.isDown) return Promise.reject(new Error('connect ECONNREFUSED'))
          if (registry.refusal !== undefined) return Promise.resolve(registry.refusal)
          const path = url.replace('http://registry:8081', '')
          const id = Number(/^\/schemas\/ids\/(\d+)$/.exec(path)?.[1])
          const schema = schemas[id - 1]
          if (method === 'GET')
            return Promise.resolve(
              schema === undefined
                ? { status: 404, body: '{"error_code":40403}' }
                : {
                    status: 200,
                    body: JSON.stringify({
                      schema: schema.text,
                      ...(schema.kind === 'AVRO' ? {} : { schemaType: schema.kind }),
                    }),
                  },
            )
          const subject = decodeURIComponent(/^\/subjects\/([^/]+)\/versions$/.exec(path)?.[1] ?? '')
          const given = JSON.parse(body ?? '') as { schema: string; schemaType?: RegisteredSchema['kind'] }
          const added = add(given.schemaType ?? 'AVRO', given.schema)
          registry.subjects.set(subject, [...(registry.subjects.get(subject) ?? []), added])
          return Promise.resolve({ status: 200, body: JSON.stringify({ id: added }) })
        },
      },
    },
  }
  return registry
}

/** Where records lie one behind the other. */
export function boundsOf(records: readonly Uint8Array[]): RecordBounds {
  const valueEnds = new Int32Array(records.length)
  let end = 0
  records.forEach((record, index) => {
    valueEnds[index] = end += record.length
  })
  return {
    bytes: Buffer.concat(records),
    count: records.length,
    valueStarts: valueEnds.map((valueEnd, index) => valueEnd - (records[index]?.length ?? 0)),
    valueEnds,
  }
}
