{{- define "millrace.name" -}}
{{- $given := .Values.nameOverride | default "millrace" }}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name $given) (contains $given .Release.Name) }}
{{- .Values.fullnameOverride | default $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "millrace.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "millrace.name" .) }}
{{- end }}

{{- define "millrace.tokenKeySecret" -}}
{{- .Values.tokenKey.existingSecret | default (printf "%s-token-key" (include "millrace.name" .)) -}}
{{- end -}}

{{- define "millrace.storeClaim" -}}
{{- .Values.jobs.storeVolume.claimName | default (printf "%s-checkpoints" (include "millrace.name" .)) }}
{{- end }}

{{/* Where the operator works, as a JSON list; empty: everywhere. */}}
{{- define "millrace.namespaces" -}}
{{- $own := ternary (list .Release.Namespace) list .Values.namespaced }}
{{- .Values.watchNamespaces | default $own | toJson }}
{{- end }}

{{/* One image: its digest when it has one, else its tag. Takes repository, tag, digest and the version. */}}
{{- define "millrace.imageOf" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default .version }}{{ end }}
{{- end }}

{{- define "millrace.image" -}}
{{- include "millrace.imageOf" (set (deepCopy .Values.image) "version" .Chart.AppVersion) }}
{{- end }}

{{/* The operator's, unless jobs have one of their own: then the operator's digest does not count. */}}
{{- define "millrace.jobImage" -}}
{{- $own := .Values.jobs.defaults.image }}
{{- if or $own.repository $own.tag $own.digest }}
{{- $repository := $own.repository | default .Values.image.repository }}
{{- include "millrace.imageOf" (dict "repository" $repository "tag" ($own.tag | default .Values.image.tag) "digest" $own.digest "version" .Chart.AppVersion) }}
{{- else }}
{{- include "millrace.image" . }}
{{- end }}
{{- end }}

{{/* operator/resources/job-defaults.ts as JSON. */}}
{{- define "millrace.jobDefaults" -}}
{{- $secrets := concat .Values.imagePullSecrets .Values.jobs.defaults.imagePullSecrets | uniq }}
{{- omit .Values.jobs.defaults "image" | merge (dict "imagePullSecrets" $secrets) | toJson }}
{{- end }}

{{/* operator/resources/network-policy.ts as JSON, or off. */}}
{{- define "millrace.jobNetwork" -}}
{{- with .Values.networkPolicy }}
{{- $operator := dict
  "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" $.Release.Namespace))
  "podSelector" (dict "matchLabels" (include "millrace.selector" $ | fromYaml)) }}
{{- $network := dict "http" (prepend .metricsFrom $operator) }}
{{- if kindIs "slice" .senders }}{{ $network = set $network "senders" .senders }}{{ end }}
{{- if kindIs "slice" .jobEgress }}{{ $network = set $network "egress" .jobEgress }}{{ end }}
{{- ternary (toJson $network) "off" .jobs }}
{{- end }}
{{- end }}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default "millrace-operator" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What stands under `metadata` of every object. Takes root and name, and may take namespace, labels and annotations. */}}
{{- define "millrace.metadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "millrace.labels" .root | nindent 2 }}
  {{- with .labels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with merge dict (.annotations | default dict) .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the operator may do where it works: what it calls, and nothing else. */}}
{{- define "millrace.rules" -}}
- apiGroups: [millrace.dev]
  resources: [streamjobs, streamsavepoints, druiddatasources]
  verbs: [get, list, watch, patch]
# periodic ones, and records of those that it has had taken
- apiGroups: [millrace.dev]
  resources: [streamsavepoints]
  verbs: [create, delete]
- apiGroups: [millrace.dev]
  resources: [streamjobs/status, streamsavepoints/status, druiddatasources/status]
  verbs: [patch]
# demanded of whoever sets blockOwnerDeletion
- apiGroups: [millrace.dev]
  resources: [streamjobs/finalizers]
  verbs: [update]
- apiGroups: ['']
  resources: [pods]
  verbs: [list, watch, create, delete]
# the Services of a job; looked at, since one of that name may be somebody else's
- apiGroups: ['']
  resources: [services]
  verbs: [get, create, patch, delete]
- apiGroups: ['']
  resources: [secrets]
  verbs: [create]
{{- with .Values.druidSecrets }}
# what spec.auth and spec.tls of DruidDatasources may name
- apiGroups: ['']
  resources: [secrets]
  resourceNames: {{ toJson . }}
  verbs: [get]
{{- end }}
# the specs of a job that were kept
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, create, patch, delete]
# where an earlier operator kept them
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get, delete]
- apiGroups: ['']
  resources: [events]
  verbs: [get, create, patch]
# of other operators: whether they live decides who looks after an object
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get]
# one for each job; they go when networkPolicy.jobs is off
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
