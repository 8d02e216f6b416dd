{{/* Names and labels. */}}

{{- define "ipstamp.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "ipstamp.fullname" -}}
{{- $name := include "ipstamp.name" . -}}
{{- $made := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $made | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "ipstamp.selector" -}}
app.kubernetes.io/name: {{ include "ipstamp.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end }}

{{- define "ipstamp.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: ipstamp
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "ipstamp.labels" -}}
{{ include "ipstamp.selector" . }}
{{ include "ipstamp.commonLabels" . }}
{{- end }}

{{/* Of pods: without the chart's version, or a new chart alone would restart them. */}}
{{- define "ipstamp.podLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of what is no worker, so that no selector of workers finds it: dict "root" . "component" "fetch". */}}
{{- define "ipstamp.componentSelector" -}}
app.kubernetes.io/name: {{ include "ipstamp.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "ipstamp.componentLabels" -}}
{{ include "ipstamp.componentSelector" . }}
{{ include "ipstamp.commonLabels" .root }}
{{- end }}

{{- define "ipstamp.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "ipstamp.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "ipstamp.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "ipstamp.configMapName" -}}
{{- .Values.existingConfigMap | default (include "ipstamp.fullname" .) -}}
{{- end }}

{{- define "ipstamp.tenantsConfigMapName" -}}
{{- if .Values.existingTenantsConfigMap -}}
{{- .Values.existingTenantsConfigMap -}}
{{- else if .Values.tenants -}}
{{- include "ipstamp.fullname" . }}-tenants
{{- end -}}
{{- end }}

{{/* The claim for databases; empty where there is none. */}}
{{- define "ipstamp.claimName" -}}
{{- $volume := .Values.databases.volume -}}
{{- if $volume.existingClaim -}}
{{- $volume.existingClaim -}}
{{- else if include "ipstamp.makesClaim" . -}}
{{- include "ipstamp.fullname" . }}-databases
{{- end -}}
{{- end }}

{{- define "ipstamp.makesClaim" -}}
{{- $databases := .Values.databases -}}
{{- if and (not $databases.volume.existingClaim) (or $databases.volume.create (eq $databases.delivery "cronJob")) -}}
true
{{- end -}}
{{- end }}

{{/* The volume of which each pod of a StatefulSet has a claim of its own; empty where none has. */}}
{{- define "ipstamp.podClaim" -}}
{{- if .Values.databases.volume.perPod -}}
{{- if has .Values.databases.delivery (list "inProcess" "initContainer") -}}
databases
{{- else if include "ipstamp.hasStore" . -}}
store
{{- end -}}
{{- end -}}
{{- end }}
