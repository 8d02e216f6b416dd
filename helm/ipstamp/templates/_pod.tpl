{{/* The pod: what Deployment and StatefulSet have in common, and what the fetching pods share with it. */}}

{{/* The files of secrets as a projected volume: dict "root" . "names" LIST. */}}
{{- define "ipstamp.secretsVolume" -}}
{{- $files := .root.Values.secrets.files -}}
{{- $create := .root.Values.secrets.create -}}
{{- $made := include "ipstamp.fullname" .root -}}
- name: secrets
  projected:
    # 0440 and not 0400: the file belongs to root, and the process reads it as its group.
    defaultMode: 0440
    sources:
      {{- range .names }}
      - secret:
          {{- if hasKey $files . }}
          {{- $from := get $files . }}
          name: {{ $from.existingSecret }}
          items: [{key: {{ $from.key | default . | quote }}, path: {{ . | quote }}}]
          {{- else }}
          name: {{ $made }}-trial
          items: [{key: {{ . | quote }}, path: {{ . | quote }}}]
          {{- end }}
      {{- end }}
{{- end }}

{{- define "ipstamp.allSecrets" -}}
{{- dict "list" (concat (keys .Values.secrets.files) (keys .Values.secrets.create) | sortAlpha) | toJson -}}
{{- end }}

{{/* The folder of databases: mounts of a container that reads them. */}}
{{- define "ipstamp.databaseMounts" -}}
{{- if eq .Values.databases.delivery "inProcess" }}
- {name: databases, mountPath: /var/lib/ipstamp}
{{- else }}
- {name: databases, mountPath: {{ include "ipstamp.dataDir" . }}, readOnly: true}
{{- if include "ipstamp.hasStore" . }}
- {name: store, mountPath: /var/lib/ipstamp}
{{- end }}
{{- end }}
{{- end }}

{{- define "ipstamp.databaseVolume" -}}
- name: databases
  {{- if and (eq .Values.databases.delivery "volume") .Values.databases.volume.source }}
  {{- toYaml .Values.databases.volume.source | nindent 2 }}
  {{- else if include "ipstamp.claimName" . }}
  persistentVolumeClaim:
    claimName: {{ include "ipstamp.claimName" . }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .Values.databases.emptyDirSize }}
  {{- end }}
{{- end }}

{{/* A container that fetches once and ends. */}}
{{- define "ipstamp.fetchContainer" -}}
- name: fetch
  image: {{ include "ipstamp.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [db, fetch, --config, /etc/ipstamp/fetch.yaml]
  {{- with .Values.extraEnv }}
  env: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{- toYaml .Values.securityContext | nindent 4 }}
  resources: {{- toYaml .Values.databases.cronJob.resources | nindent 4 }}
  volumeMounts:
    - {name: config, mountPath: /etc/ipstamp, readOnly: true}
    - {name: databases, mountPath: {{ include "ipstamp.dataDir" . }}}
    - {name: tmp, mountPath: /tmp}
    {{- if (include "ipstamp.namedSecrets" (include "ipstamp.fetchConfig" .) | fromJson).list }}
    - {name: secrets, mountPath: {{ include "ipstamp.secretsDir" . }}, readOnly: true}
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* The whole pod of a Job that fetches. */}}
{{- define "ipstamp.fetchPod" -}}
metadata:
  labels:
    {{- include "ipstamp.componentSelector" (dict "root" . "component" "fetch") | nindent 4 }}
    {{- include "ipstamp.podLabels" . | nindent 4 }}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  serviceAccountName: {{ include "ipstamp.serviceAccountName" . }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    {{- include "ipstamp.fetchContainer" . | nindent 4 }}
  volumes:
    - name: config
      configMap:
        name: {{ include "ipstamp.configMapName" . }}
    {{- include "ipstamp.databaseVolume" . | nindent 4 }}
    - name: tmp
      emptyDir: {}
    {{- with (include "ipstamp.namedSecrets" (include "ipstamp.fetchConfig" .) | fromJson).list }}
    {{- include "ipstamp.secretsVolume" (dict "root" $ "names" .) | nindent 4 }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* Mounts of a container that reads the main configuration. */}}
{{- define "ipstamp.mounts" -}}
- {name: config, mountPath: /etc/ipstamp, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- include "ipstamp.databaseMounts" . }}
{{- if (include "ipstamp.allSecrets" . | fromJson).list }}
- {name: secrets, mountPath: {{ include "ipstamp.secretsDir" . }}, readOnly: true}
{{- end }}
{{- if include "ipstamp.tenantsConfigMapName" . }}
- {name: tenants, mountPath: {{ include "ipstamp.tenantsDir" . }}, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Volumes of a pod that reads the main configuration. */}}
{{- define "ipstamp.volumes" -}}
- name: config
  configMap:
    name: {{ include "ipstamp.configMapName" . }}
- name: tmp
  emptyDir: {}
{{ include "ipstamp.databaseVolume" . }}
{{- if and (ne .Values.databases.delivery "inProcess") (include "ipstamp.hasStore" .) }}
- name: store
  emptyDir:
    sizeLimit: {{ .Values.databases.emptyDirSize }}
{{- end }}
{{- with (include "ipstamp.allSecrets" . | fromJson).list }}
{{ include "ipstamp.secretsVolume" (dict "root" $ "names" .) }}
{{- end }}
{{- with include "ipstamp.tenantsConfigMapName" . }}
- name: tenants
  configMap:
    name: {{ . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "ipstamp.podTemplate" -}}
metadata:
  annotations:
    {{- if not .Values.existingConfigMap }}
    # A new configuration is a new pod. Tenants, tokens and databases are followed without one.
    checksum/config: {{ include "ipstamp.config" . | sha256sum }}
    {{- end }}
    {{- if .Values.secrets.create }}
    checksum/trial-secrets: {{ toJson .Values.secrets.create | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "ipstamp.selector" . | nindent 4 }}
    {{- include "ipstamp.podLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  serviceAccountName: {{ include "ipstamp.serviceAccountName" . }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{- toYaml .Values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{ merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" (include "ipstamp.selector" $ | fromYaml))) | toYaml | nindent 6 | trim }}
    {{- end }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if or .Values.initContainers (eq .Values.databases.delivery "initContainer") }}
  initContainers:
    {{- with .Values.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if eq .Values.databases.delivery "initContainer" }}
    {{- include "ipstamp.fetchContainer" . | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - name: ipstamp
      image: {{ include "ipstamp.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [run]
      {{- with .Values.extraEnv }}
      env: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom: {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: admin, containerPort: 9464}
      startupProbe: {{- toYaml .Values.startupProbe | nindent 8 }}
      livenessProbe: {{- toYaml .Values.livenessProbe | nindent 8 }}
      readinessProbe: {{- toYaml .Values.readinessProbe | nindent 8 }}
      {{- with .Values.lifecycle }}
      lifecycle: {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext: {{- toYaml .Values.securityContext | nindent 8 }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts: {{- include "ipstamp.mounts" . | nindent 8 }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes: {{- include "ipstamp.volumes" . | nindent 4 }}
{{- end }}

{{/* Whether a pod of its own sees the databases: not those that a worker fetches into its own folder, and then `check` would miss them. */}}
{{- define "ipstamp.testSees" -}}
{{- if or (ne .Values.databases.delivery "inProcess") (include "ipstamp.claimName" .) (not (include "ipstamp.sources" . | fromJson).list) }}true{{ end }}
{{- end }}

{{/* Whether there is something that a test can ask. */}}
{{- define "ipstamp.hasTest" -}}
{{- if and .Values.test.enabled (or (include "ipstamp.testSees" .) .Values.service.enabled) }}true{{ end }}
{{- end }}
