{{/* The configuration: what the values say, and what the chart adds to it. */}}

{{- define "ipstamp.secretsDir" -}}/run/secrets/ipstamp{{- end }}
{{- define "ipstamp.tenantsDir" -}}/etc/ipstamp-tenants{{- end }}
{{- define "ipstamp.dataDir" -}}/data{{- end }}
{{- define "ipstamp.storeDir" -}}/var/lib/ipstamp/databases{{- end }}

{{/* Whether database files are fetched by something else than `run`. */}}
{{- define "ipstamp.isDelivered" -}}
{{- if has .Values.databases.delivery (list "cronJob" "initContainer") -}}true{{- end -}}
{{- end }}

{{/* Whether a worker has a store: where it fetches by itself, and where the configuration wants one. */}}
{{- define "ipstamp.hasStore" -}}
{{- $fetches := and (eq .Values.databases.delivery "inProcess") (include "ipstamp.sources" . | fromJson).list -}}
{{- if or $fetches .Values.config.database_store -}}true{{- end -}}
{{- end }}

{{/* The databases of the configuration that have a source, as JSON under `list`. */}}
{{- define "ipstamp.sources" -}}
{{- $sources := list -}}
{{- range .Values.config.databases -}}
{{- if .source -}}{{- $sources = append $sources . -}}{{- end -}}
{{- end -}}
{{- dict "list" $sources | toJson -}}
{{- end }}

{{/* One worker for each CPU that is requested, or part of one; at most 4, as ipstamp itself has it. */}}
{{- define "ipstamp.workers" -}}
{{- $cpu := dig "requests" "cpu" "1" .Values.resources | toString -}}
{{- $milli := 1000.0 -}}
{{- if hasSuffix "m" $cpu -}}
{{- $milli = trimSuffix "m" $cpu | float64 -}}
{{- else -}}
{{- $milli = mulf (float64 $cpu) 1000.0 -}}
{{- end -}}
{{- min 4 (max 1 (int (ceil (divf $milli 1000.0)))) -}}
{{- end }}

{{/* What `run` reads. */}}
{{- define "ipstamp.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $chart := dict "admin" (dict "listen" "0.0.0.0:9464") "workers" (include "ipstamp.workers" . | int) -}}
{{- if .Values.workload.staticMembership -}}
{{- $_ := set $chart "input" (dict "member" "${HOSTNAME}") -}}
{{- end -}}
{{- if include "ipstamp.tenantsConfigMapName" . -}}
{{- $_ := set $chart "tenants" (dict "dir" (include "ipstamp.tenantsDir" .)) -}}
{{- end -}}
{{- if include "ipstamp.hasStore" . -}}
{{- $_ := set $chart "database_store" (dict "dir" (include "ipstamp.storeDir" .)) -}}
{{- end -}}
{{- if include "ipstamp.isDelivered" . -}}
{{- $databases := list -}}
{{- range $config.databases -}}
{{- $database := . -}}
{{- if .source -}}
{{- $fetching := list "source" "file" "edition" "account" "token" "url" "checksum_url" "base_url" "member" "every" "limit" "downloads_per_day" "on_missing" -}}
{{- $database = omit . "source" -}}
{{- range $fetching -}}{{- $database = omit $database . -}}{{- end -}}
{{- $_ := set $database "path" (printf "%s/store/fetched/%s.mmdb" (include "ipstamp.dataDir" $) .name) -}}
{{- end -}}
{{- $databases = append $databases $database -}}
{{- end -}}
{{- $_ := set $config "databases" $databases -}}
{{- end -}}
{{- mergeOverwrite $chart $config | toYaml -}}
{{- end }}

{{/* What `db fetch` reads: the databases with a source, and no more of the rest than it must have. The
workers read the files in its store, which knows what is not newer. */}}
{{- define "ipstamp.fetchConfig" -}}
{{- $config := pick .Values.config "kafka" "input" "output" -}}
{{- $_ := set $config "kafka" (dict "brokers" .Values.config.kafka.brokers) -}}
{{- $_ := set $config "input" (pick .Values.config.input "topics" "group") -}}
{{- $_ := set $config "output" (pick .Values.config.output "topic") -}}
{{- $_ := set $config "databases" (include "ipstamp.sources" . | fromJson).list -}}
{{- $store := dict "dir" (printf "%s/store" (include "ipstamp.dataDir" .)) -}}
{{- $_ := set $config "database_store" (mergeOverwrite (deepCopy (.Values.config.database_store | default dict)) $store) -}}
{{- $config | toYaml -}}
{{- end }}

{{/* The names of the secret files that a text names, as JSON under `list`. */}}
{{- define "ipstamp.namedSecrets" -}}
{{- $names := list -}}
{{- range regexFindAll "/run/secrets/ipstamp/[A-Za-z0-9._-]+" . -1 -}}
{{- $names = append $names (base .) -}}
{{- end -}}
{{- dict "list" (uniq $names) | toJson -}}
{{- end }}

{{/* A duration such as `25s`, `1m` or `1m 30s` in seconds. */}}
{{- define "ipstamp.seconds" -}}
{{- $text := toString . -}}
{{- if not (regexMatch "^([0-9]+m(in)?)? ?([0-9]+s(ec)?)?$" $text) -}}
{{- fail (printf "config.drain: the chart reads minutes and seconds, such as 25s or 1m 30s, and not %q; it has to compare it with terminationGracePeriodSeconds" $text) -}}
{{- end -}}
{{- $minutes := regexFind "[0-9]+m" $text | trimSuffix "m" | default "0" | int -}}
{{- $seconds := regexFind "[0-9]+s" $text | trimSuffix "s" | default "0" | int -}}
{{- add (mul 60 $minutes) $seconds -}}
{{- end }}
