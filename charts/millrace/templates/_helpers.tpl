{{- define "millrace.name" -}}
{{- if contains "millrace" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-millrace" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "millrace.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "millrace.name" .) }}
{{- end }}

{{- define "millrace.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}

{{- define "millrace.storeClaim" -}}
{{- .Values.jobs.storeVolume.claimName | default (printf "%s-checkpoints" (include "millrace.name" .)) }}
{{- end }}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: millrace-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What the operator may do where it works: what it calls, and nothing else. */}}
{{- define "millrace.rules" -}}
- apiGroups: [millrace.dev]
  resources: [streamjobs, streamsavepoints, druiddatasources]
  verbs: [get, list, watch, patch]
- apiGroups: [millrace.dev]
  resources: [streamjobs/status, streamsavepoints/status, druiddatasources/status]
  verbs: [patch]
# demanded of whoever sets blockOwnerDeletion
- apiGroups: [millrace.dev]
  resources: [streamjobs/finalizers]
  verbs: [update]
- apiGroups: ['']
  resources: [pods]
  verbs: [get, list, watch, create, delete]
# the Service of a job; looked at, since one of that name may be somebody else's
- apiGroups: ['']
  resources: [services]
  verbs: [get, create]
- apiGroups: ['']
  resources: [secrets]
  verbs: [create]
# the last good spec of a job
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get, create, patch]
- apiGroups: ['']
  resources: [events]
  verbs: [get, create, patch]
{{- end }}

{{- define "millrace.tokenKeySecret" -}}
{{- .Values.tokenKey.existingSecret | default (printf "%s-token-key" (include "millrace.name" .)) -}}
{{- end -}}
