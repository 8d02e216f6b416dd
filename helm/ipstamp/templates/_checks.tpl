{{/* What contradicts itself is refused here, with a sentence that says what to change. */}}

{{- define "ipstamp.checks" -}}
{{- include "ipstamp.checkConfig" . -}}
{{- include "ipstamp.checkSecrets" . -}}
{{- include "ipstamp.checkWorkload" . -}}
{{- include "ipstamp.checkDatabases" . -}}
{{- include "ipstamp.checkMonitoring" . -}}
{{- end }}

{{- define "ipstamp.checkConfig" -}}
{{- $config := .Values.config -}}
{{- if and .Values.existingConfigMap $config -}}
{{- fail "existingConfigMap and config: only one of them can be the configuration; remove the other" -}}
{{- end -}}
{{- if and .Values.existingTenantsConfigMap .Values.tenants -}}
{{- fail "existingTenantsConfigMap and tenants: only one of them can be the tenants' files; remove the other" -}}
{{- end -}}
{{- if not .Values.existingConfigMap -}}
{{- range $key, $example := dict "kafka" "{brokers: [kafka-1:9092]}" "input" "{topics: [logs], group: ipstamp}" "output" "{topic: logs.enriched}" -}}
{{- if not (get $config $key) -}}
{{- fail (printf "config.%s is missing; write for example config: {%s: %s}, or name an existingConfigMap" $key $key $example) -}}
{{- end -}}
{{- end -}}
{{- if and (include "ipstamp.tenantsConfigMapName" .) (not $config.tenants) -}}
{{- fail "tenants: there are files of tenants, and config.tenants does not say what tells whose a record is; write for example config.tenants.by: {topic: '^logs\\.([a-z]+)$'}" -}}
{{- end -}}
{{- if and $config.tenants (not (dig "dir" "" $config.tenants)) (not (include "ipstamp.tenantsConfigMapName" .)) -}}
{{- fail "config.tenants: there are no files of tenants; add tenants, existingTenantsConfigMap, or config.tenants.dir with a volume of your own" -}}
{{- end -}}
{{- if eq (dig "admin" "listen" "" $config | toString) "off" -}}
{{- fail "config.admin.listen is off: the probes ask the admin port; leave it out, or write 0.0.0.0:9464" -}}
{{- end -}}
{{- $listen := dig "admin" "listen" "0.0.0.0:9464" $config -}}
{{- if not (hasSuffix ":9464" $listen) -}}
{{- fail (printf "config.admin.listen is %s: probes, monitors and the policy know port 9464; leave it out" $listen) -}}
{{- end -}}
{{- if regexMatch "^(127\\.|localhost:|\\[::1\\])" $listen -}}
{{- fail (printf "config.admin.listen is %s: the probes come from outside of the pod; leave it out, or write 0.0.0.0:9464" $listen) -}}
{{- end -}}
{{- $drain := include "ipstamp.seconds" (dig "drain" "25s" $config) | int -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (add $drain 5 | int) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d and config.drain is %d s: the container would be killed before the drain has ended; write at least %d" (int .Values.terminationGracePeriodSeconds) $drain (add $drain 5)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Walks through the configuration: dict "at" PATH "value" VALUE. */}}
{{- define "ipstamp.checkPlain" -}}
{{- $at := .at -}}
{{- if kindIs "map" .value -}}
{{- range $key, $value := .value -}}
{{- $path := printf "%s.%s" $at $key -}}
{{- if and (kindIs "string" $value) (or (has $key (list "password" "key_password" "token" "address_key")) (hasSuffix ".password" $key)) (not (hasPrefix "${" $value)) (ne $value "") -}}
{{- fail (printf "%s stands there in plain text, and would in a ConfigMap; put it into a Secret, name it under secrets.files, and write \"${file:/run/secrets/ipstamp/NAME}\"" $path) -}}
{{- end -}}
{{- include "ipstamp.checkPlain" (dict "at" $path "value" $value) -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range $index, $value := .value -}}
{{- include "ipstamp.checkPlain" (dict "at" (printf "%s[%d]" $at $index) "value" $value) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "ipstamp.checkSecrets" -}}
{{- $values := .Values -}}
{{- include "ipstamp.checkPlain" (dict "at" "config" "value" .Values.config) -}}
{{- include "ipstamp.checkPlain" (dict "at" "tenants" "value" .Values.tenants) -}}
{{- range $name, $from := .Values.secrets.files -}}
{{- if hasKey $values.secrets.create $name -}}
{{- fail (printf "secrets.files.%s and secrets.create.%s: both would be the same file; remove one" $name $name) -}}
{{- end -}}
{{- end -}}
{{- $known := concat (keys .Values.secrets.files) (keys .Values.secrets.create) -}}
{{- range (include "ipstamp.namedSecrets" (printf "%s\n%s" (toYaml .Values.config) (toYaml .Values.tenants)) | fromJson).list -}}
{{- if not (has . $known) -}}
{{- fail (printf "the configuration names /run/secrets/ipstamp/%s, and nothing puts it there; add secrets.files.%s: {existingSecret: …, key: …}" . .) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "ipstamp.checkWorkload" -}}
{{- $static := or .Values.workload.staticMembership (dig "input" "member" "" .Values.config) -}}
{{- if and $static (eq .Values.workload.kind "Deployment") -}}
{{- fail "workload.staticMembership (or config.input.member) with a Deployment: a new pod would come under a new name beside the old one, or under the same name and be thrown out; write workload.kind: StatefulSet" -}}
{{- end -}}
{{- if and .Values.workload.staticMembership .Values.existingConfigMap -}}
{{- fail "workload.staticMembership with existingConfigMap: the chart cannot write into it; take staticMembership away, and write input: {member: \"${HOSTNAME}\"} into the map" -}}
{{- end -}}
{{- $scaling := .Values.autoscaling -}}
{{- $member := dig "input" "member" "" .Values.config -}}
{{- if and $member (not (contains "${" $member)) (or (gt (int .Values.replicas) 1) (ne $scaling.kind "none")) -}}
{{- fail (printf "config.input.member is %s for every pod, and a member of a name throws out the one before it; write \"${HOSTNAME}\"" $member) -}}
{{- end -}}
{{- if ne $scaling.kind "none" -}}
{{- if and $static (not $scaling.allowStaticMembership) -}}
{{- fail "autoscaling with static membership: a member that is scaled away keeps its partitions until its session ends; turn one of them off, or write autoscaling.allowStaticMembership: true if that is meant" -}}
{{- end -}}
{{- if lt (int $scaling.maxReplicas) (int $scaling.minReplicas) -}}
{{- fail (printf "autoscaling.maxReplicas (%d) is below autoscaling.minReplicas (%d)" (int $scaling.maxReplicas) (int $scaling.minReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $scaling.kind "hpa") (lt (int $scaling.minReplicas) 1) -}}
{{- fail "autoscaling.minReplicas is 0, which an HPA does not know; write at least 1" -}}
{{- end -}}
{{- if eq $scaling.kind "keda" -}}
{{- include "ipstamp.checkKeda" . -}}
{{- end -}}
{{- if and (eq $scaling.kind "hpa") (not (dig "requests" "cpu" "" .Values.resources)) (not $scaling.hpa.metrics) -}}
{{- fail "autoscaling.kind is hpa and resources.requests.cpu is missing: per cent of nothing; write a CPU request" -}}
{{- end -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- if and $budget.enabled (ne (toString $budget.minAvailable) "") (ne (toString $budget.maxUnavailable) "") (ne (toString $budget.maxUnavailable) "1") -}}
{{- fail "podDisruptionBudget: minAvailable and maxUnavailable exclude each other; remove one" -}}
{{- end -}}
{{- end }}

{{- define "ipstamp.checkKeda" -}}
{{- $keda := .Values.autoscaling.keda -}}
{{- if and .Values.existingConfigMap (or (not $keda.brokers) (not $keda.group)) -}}
{{- fail "autoscaling.kind is keda with existingConfigMap: the chart cannot see the brokers and the group; write autoscaling.keda.brokers and autoscaling.keda.group" -}}
{{- end -}}
{{- if and (eq $keda.providerBound "hold") (not $keda.prometheus.serverAddress) -}}
{{- fail "autoscaling.keda.providerBound is hold and prometheus.serverAddress is missing: what waits for a provider is known from ipstamp's metrics; name the Prometheus that scrapes it, or write ignore" -}}
{{- end -}}
{{- if and (eq $keda.providerBound "hold") (lt (int .Values.autoscaling.minReplicas) 1) -}}
{{- fail "autoscaling.keda.providerBound is hold and autoscaling.minReplicas is 0: without a pod nothing says what waits; write at least 1" -}}
{{- end -}}
{{- end }}

{{- define "ipstamp.checkDatabases" -}}
{{- $databases := .Values.databases -}}
{{- $volume := $databases.volume -}}
{{- $sources := (include "ipstamp.sources" . | fromJson).list -}}
{{- if and (include "ipstamp.isDelivered" .) .Values.existingConfigMap -}}
{{- fail (printf "databases.delivery is %s with existingConfigMap: the chart makes two configurations out of config, one that fetches and one that runs; write config, or use delivery: volume" $databases.delivery) -}}
{{- end -}}
{{- if and (include "ipstamp.isDelivered" .) (not $sources) -}}
{{- fail (printf "databases.delivery is %s, and no entry of config.databases has a source: there is nothing to fetch" $databases.delivery) -}}
{{- end -}}
{{- if and (ne $databases.delivery "inProcess") (dig "database_store" "dir" "" .Values.config) -}}
{{- fail (printf "config.database_store.dir with databases.delivery: %s: the chart decides where files are kept; remove it" $databases.delivery) -}}
{{- end -}}
{{- if and (eq $databases.delivery "volume") $sources -}}
{{- fail "databases.delivery is volume, and an entry of config.databases has a source: something else brings the files; write path: /data/NAME.mmdb, or another delivery" -}}
{{- end -}}
{{- if and (eq $databases.delivery "volume") (not $volume.existingClaim) (not $volume.source) -}}
{{- fail "databases.delivery is volume, and no volume is named; write databases.volume.existingClaim or databases.volume.source" -}}
{{- end -}}
{{- if and $volume.source (ne $databases.delivery "volume") -}}
{{- fail (printf "databases.volume.source with databases.delivery: %s: it is for delivery: volume alone" $databases.delivery) -}}
{{- end -}}
{{- if include "ipstamp.isDelivered" . -}}
{{- range $index, $source := $sources -}}
{{- if not $source.name -}}
{{- fail (printf "an entry of config.databases with source: %s has no name; write one: its file will be called by it" $source.source) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $volume.perPod -}}
{{- if ne .Values.workload.kind "StatefulSet" -}}
{{- fail "databases.volume.perPod with a Deployment: its pods have no names under which claims would wait for them; write workload.kind: StatefulSet, or databases.volume.create: true for one claim that all share" -}}
{{- end -}}
{{- if not (include "ipstamp.podClaim" .) -}}
{{- fail (printf "databases.volume.perPod with databases.delivery: %s and no config.database_store: a pod has no folder of its own there; write config.database_store: {keep: 2}, or remove it" $databases.delivery) -}}
{{- end -}}
{{- if and (eq (include "ipstamp.podClaim" .) "databases") (include "ipstamp.claimName" .) -}}
{{- fail "databases.volume.perPod with existingClaim or create: a claim for each pod, or one for all; remove one of them" -}}
{{- end -}}
{{- end -}}
{{- $perPod := or (eq $databases.delivery "initContainer") (and (eq $databases.delivery "inProcess") (not (include "ipstamp.claimName" .))) -}}
{{- if and $perPod (not $databases.acceptDownloadsPerPod) -}}
{{- range $sources -}}
{{- if not (has .source (list "mirror" "url")) -}}
{{- fail (printf "each pod, and each restart, would download from %s for itself, and vendors lock accounts that download too often; write databases.delivery: cronJob, a claim under databases.volume, a source that is a mirror of yours, or databases.acceptDownloadsPerPod: true if that is meant" .source) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $replicas := ternary (int .Values.replicas) (int .Values.autoscaling.maxReplicas) (eq .Values.autoscaling.kind "none") -}}
{{- if and (include "ipstamp.makesClaim" .) (gt $replicas 1) (has "ReadWriteOncePod" $volume.accessModes) -}}
{{- fail (printf "databases.volume.accessModes is ReadWriteOncePod and there are up to %d pods; write ReadWriteMany" $replicas) -}}
{{- end -}}
{{- end }}

{{- define "ipstamp.checkMonitoring" -}}
{{- if and .Values.networkPolicy.enabled .Values.existingConfigMap (not .Values.networkPolicy.kafkaPorts) -}}
{{- fail "networkPolicy.enabled with existingConfigMap: the chart cannot see the brokers; write networkPolicy.kafkaPorts" -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled -}}
{{- fail "podMonitor and serviceMonitor: each pod would be scraped twice, and all sums be doubled; enable one" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "serviceMonitor.enabled without service.enabled: there is nothing to monitor; enable the service, or use podMonitor" -}}
{{- end -}}
{{- if and .Values.prometheusRule.enabled (not .Values.prometheusRule.runbookBaseUrl) -}}
{{- fail "prometheusRule.enabled without runbookBaseUrl: whoever is woken finds no runbook behind the link; write where RUNBOOK.md is read, such as https://git.example.net/ipstamp/helm/ipstamp/" -}}
{{- end -}}
{{- $known := list -}}
{{- range (.Files.Get "files/alerts.yaml" | fromYaml).groups -}}
{{- range .rules -}}{{- $known = append $known .alert -}}{{- end -}}
{{- end -}}
{{- if and .Values.prometheusRule.enabled (ne .Values.autoscaling.kind "none") (lt (int .Values.autoscaling.minReplicas) 1) (not (has "IpstampAbsent" .Values.prometheusRule.disabled)) -}}
{{- fail "autoscaling.minReplicas is 0 and the alert IpstampAbsent is on: each quiet hour would wake somebody; write prometheusRule.disabled: [IpstampAbsent], or minReplicas: 1" -}}
{{- end -}}
{{- range .Values.prometheusRule.disabled -}}
{{- if not (has . $known) -}}
{{- fail (printf "prometheusRule.disabled names %s, which is no alert; there are %s" . (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- end }}
