{{/* What KEDA must know to look at the group's lag. */}}

{{/* The metadata of the trigger for lag. */}}
{{- define "ipstamp.kedaLag" -}}
{{- $keda := .Values.autoscaling.keda -}}
{{- $config := .Values.config -}}
{{- $topics := dig "input" "topics" (list) $config -}}
{{- $topic := $keda.topic -}}
{{- if and (not $topic) (eq (len $topics) 1) -}}
{{- if not (hasPrefix "^" (first $topics)) -}}{{- $topic = first $topics -}}{{- end -}}
{{- end -}}
bootstrapServers: {{ join "," ($keda.brokers | default (dig "kafka" "brokers" (list) $config)) | quote }}
consumerGroup: {{ $keda.group | default (dig "input" "group" "" $config) | quote }}
{{- with $topic }}
topic: {{ . | quote }}
{{- end }}
lagThreshold: {{ $keda.lagThreshold | int64 | quote }}
activationLagThreshold: {{ $keda.activationLagThreshold | int64 | quote }}
# As ipstamp itself begins, or KEDA would see another lag than there is.
offsetResetPolicy: {{ dig "input" "start" "earliest" $config | quote }}
allowIdleConsumers: "false"
# A group without an offset has all of its input before it, or nothing.
scaleToZeroOnInvalidOffset: "false"
excludePersistentLag: {{ $keda.excludePersistentLag | quote }}
limitToPartitionsWithLag: {{ $keda.limitToPartitionsWithLag | quote }}
ensureEvenDistributionOfPartitions: {{ $keda.ensureEvenDistributionOfPartitions | quote }}
{{- with $keda.version }}
version: {{ . | quote }}
{{- end }}
{{- end }}

{{/* The parameters for the brokers by `config.kafka.security`, as JSON: those that stand in the
configuration under `plain`, those in Secrets under `secret`. */}}
{{- define "ipstamp.kedaParameters" -}}
{{- $values := .Values -}}
{{- $security := dig "kafka" "security" (dict) .Values.config -}}
{{- $protocol := lower (dig "protocol" "plaintext" $security) -}}
{{- $plain := dict -}}
{{- $secret := dict -}}
{{- if hasSuffix "ssl" $protocol -}}{{- $_ := set $plain "tls" "enable" -}}{{- end -}}
{{- if hasPrefix "sasl" $protocol -}}
{{- $_ := set $plain "sasl" (get (dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512") (dig "mechanism" "" $security)) -}}
{{- end -}}
{{- range $parameter, $key := dict "username" "username" "password" "password" "ca" "ca" "cert" "certificate" "key" "key" "keyPassword" "key_password" -}}
{{- with get $security $key -}}
{{- $named := (include "ipstamp.namedSecrets" . | fromJson).list -}}
{{- if $named -}}
{{- $name := first $named -}}
{{- if hasKey $values.secrets.files $name -}}
{{- $from := get $values.secrets.files $name -}}
{{- $_ := set $secret $parameter (dict "name" $from.existingSecret "key" ($from.key | default $name)) -}}
{{- else -}}
{{- $_ := set $plain $parameter (get $values.secrets.create $name) -}}
{{- end -}}
{{- else if and (eq $key "username") (not (hasPrefix "${" .)) -}}
{{- $_ := set $plain $parameter . -}}
{{- else -}}
{{- fail (printf "autoscaling.kind is keda and config.kafka.security.%s is neither a file under /run/secrets/ipstamp nor plain: KEDA could not read it; put it into a Secret under secrets.files, or name a TriggerAuthentication of your own as autoscaling.keda.authenticationRef" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "plain" $plain "secret" $secret | toJson -}}
{{- end }}

{{/* Selects the release's own series. */}}
{{- define "ipstamp.series" -}}
namespace="{{ .Release.Namespace }}",pod=~"{{ include "ipstamp.fullname" . }}-.*"
{{- end }}
