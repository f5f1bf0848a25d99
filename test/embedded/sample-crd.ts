import { parse } from 'yaml'
import type { JsonObject } from '../../embedded/objects.ts'

/** A CRD with everything the server supports, so that these tests do not change when the product's CRDs do. */
export const sampleCrd = parse(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: mills.sample.dev }
spec:
  group: sample.dev
  scope: Namespaced
  names: { kind: Mill, listKind: MillList, plural: mills, singular: mill, shortNames: [ml], categories: [streams] }
  versions:
    - name: v1
      served: true
      storage: true
      subresources:
        status: {}
        scale: { specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector }
      additionalPrinterColumns:
        - { name: Replicas, type: integer, jsonPath: .spec.replicas }
        - { name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status' }
        - { name: Mode, type: string, jsonPath: .spec.mode, priority: 1 }
        - { name: Age, type: date, jsonPath: .metadata.creationTimestamp }
      schema:
        openAPIV3Schema:
          type: object
          description: A mill grinds records.
          required: [spec]
          properties:
            spec:
              type: object
              required: [wheel]
              properties:
                wheel: { type: string, minLength: 1, pattern: '^[a-z]+$', description: What turns. }
                replicas: { type: integer, default: 1, minimum: 1 }
                maxReplicas: { type: integer, default: 8 }
                mode: { type: string, enum: [slow, fast], default: slow }
                stones:
                  type: array
                  maxItems: 4
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [id]
                  items:
                    type: object
                    required: [id]
                    properties: { id: { type: string }, weight: { type: integer, default: 10 } }
                options: { type: object, x-kubernetes-preserve-unknown-fields: true }
              x-kubernetes-validations:
                - rule: self.replicas <= self.maxReplicas
                  messageExpression: "'replicas ' + string(self.replicas) + ' is above maxReplicas ' + string(self.maxReplicas)"
                - { rule: self.wheel == oldSelf.wheel, message: wheel is immutable }
            status:
              type: object
              properties:
                replicas: { type: integer }
                selector: { type: string }
                observedGeneration: { type: integer }
                conditions:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [type]
                  items:
                    type: object
                    properties:
                      type: { type: string }
                      status: { type: string }
                      reason: { type: string }
                      message: { type: string }
                      lastTransitionTime: { type: string, format: date-time }
`) as JsonObject

export function sampleMill(name: string, spec: JsonObject = {}): JsonObject {
  return { apiVersion: 'sample.dev/v1', kind: 'Mill', metadata: { name }, spec: { wheel: 'water', ...spec } }
}
