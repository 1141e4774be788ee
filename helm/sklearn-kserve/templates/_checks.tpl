{{/* What the schema can't see: values that exclude or need one another. Each refusal says what to do. */}}
{{- define "sklearn-kserve.checks" -}}
{{- $names := list -}}
{{- range $model := .Values.models -}}
{{- with $model -}}
  {{- if has .name $names }}{{ fail (printf "models names '%s' twice; each model is an InferenceService of its own: give each its name." .name) }}{{ end -}}
  {{- $names = append $names .name -}}
  {{- if .format -}}
    {{- if not .storageUri }}{{ fail (printf "models: '%s' has a format and no storageUri; a runtime serves what KServe fetches: say where it is." .name) }}{{ end -}}
    {{- if .settings }}{{ fail (printf "models: '%s' has a format and settings; a runtime's settings are one for all: say them in settings, or leave format out." .name) }}{{ end -}}
    {{- if and (eq .format "sklearn") (not .runtime) (not $.Values.runtime.create) }}{{ fail (printf "models: '%s' has format sklearn and no runtime, so KServe's own would take it; set runtime.create, name a runtime, or leave format out." .name) }}{{ end -}}
  {{- else -}}
    {{- range $field := list "formatVersion" "runtime" "protocol" -}}
      {{- if get $model $field }}{{ fail (printf "models: '%s' has %s and no format, so no runtime is asked; say its format, or leave %s out." $model.name $field $field) }}{{ end -}}
    {{- end -}}
  {{- end -}}
  {{- if and .storageUri .path }}{{ fail (printf "models: '%s' has both storageUri and path; say storageUri for a model that KServe fetches, or path for one that the image carries." .name) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range (include "sklearn-kserve.services" . | fromJson).items -}}
  {{- if and (lt (int .replicas) 1) (eq $.Values.mode "Standard") }}{{ fail (printf "'%s' has 0 replicas, and mode Standard does not start pods when requests come; give it 1, or use mode Knative." .name) }}{{ end -}}
  {{- if and .settings.enable_repository_api (not $.Values.apiKeys.secret) }}{{ fail "settings.enable_repository_api lets clients load and unload models, and without API keys that would be everybody; name the keys' Secret in apiKeys.secret." }}{{ end -}}
{{- end -}}
{{- include "sklearn-kserve.keyChecks" . -}}
{{- with .Values.verification -}}
  {{- if and .configMap .secret }}{{ fail "verification has both configMap and secret; public keys come from one of them: leave the other empty." }}{{ end -}}
  {{- if and (or .configMap .secret) (not .files) }}{{ fail "verification names keys' ConfigMap or Secret but no files in it, so nothing would be verified; list the file names in verification.files." }}{{ end -}}
  {{- if and .files (not (or .configMap .secret)) }}{{ fail "verification.files names keys that come from nowhere; say which ConfigMap or Secret holds them in verification.configMap or verification.secret." }}{{ end -}}
{{- end -}}
{{- if and .Values.route.enabled (eq .Values.mode "Knative") }}{{ fail "route.enabled is for mode Standard; Knative routes to its revisions itself: turn route.enabled off." }}{{ end -}}
{{- if or .Values.monitoring.podMonitor .Values.monitoring.rules -}}
  {{- $ours := false -}}
  {{- range (include "sklearn-kserve.services" . | fromJson).items }}{{ $ours = or $ours .ours }}{{ end -}}
  {{- if not $ours }}{{ fail "monitoring.podMonitor and monitoring.rules are about our server, and every model of this release is served by another's runtime; turn them off, and watch that runtime by its own metrics." }}{{ end -}}
{{- end -}}
{{- if and .Values.monitoring.podMonitor .Values.apiKeys.secret -}}
  {{- if include "sklearn-kserve.sidecar" . }}{{ fail "monitoring.podMonitor would see the sidecars' metrics alone, for they read the server's without a key and apiKeys.secret asks for one; leave apiKeys.secret empty and let auth ask, or turn auth.pods off." }}{{ end -}}
  {{- if not .Values.monitoring.keySecret }}{{ fail "monitoring.podMonitor would be answered with 401, for apiKeys.secret asks for keys at /metrics as well; name a Secret with one in monitoring.keySecret." }}{{ end -}}
{{- end -}}
{{- if .Values.canary.enabled }}{{ include "sklearn-kserve.canaryChecks" . }}{{ end -}}
{{- if ne .Values.autoscaling.class "none" }}{{ include "sklearn-kserve.autoscalingChecks" . }}{{ end -}}
{{- if .Values.auth.enabled }}{{ include "sklearn-kserve.authChecks" . }}{{ end -}}
{{- include "sklearn-kserve.rateLimitChecks" . -}}
{{- include "sklearn-kserve.lookupChecks" . -}}
{{- if .Values.retraining.enabled }}{{ include "sklearn-kserve.retrainingChecks" . }}{{ end -}}
{{- end -}}

{{/* Of a key that is there twice YAML's readers take one, and don't agree which. */}}
{{- define "sklearn-kserve.keyChecks" -}}
{{- $bare := dict "Chart" .Chart "Release" .Release "Values" (set (omit .Values "pod") "pod" dict) -}}
{{- $labels := include "sklearn-kserve.labels" . | fromYaml -}}
{{- $kserve := dict "app" "" "component" "" "serving.kserve.io/inferenceservice" "" -}}
{{- range $path, $taken := dict
  "pod.labels" (merge $kserve (include "sklearn-kserve.podLabels" $bare | fromYaml))
  "pod.annotations" (include "sklearn-kserve.podAnnotations" (dict "root" $bare "service" .Values) | fromYaml)
  "monitoring.labels" $labels
  "monitoring.dashboardLabels" $labels
-}}
  {{- $block := split "." $path -}}
  {{- range $key, $_ := get (get $.Values $block._0) $block._1 -}}
    {{- if hasKey $taken $key }}{{ fail (printf "%s has '%s', which the chart or KServe says itself; leave it out, or take a key of your own." $path $key) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "sklearn-kserve.authChecks" -}}
{{- $names := list -}}
{{- range .Values.models }}{{ $names = append $names .name }}{{ end -}}
{{- with .Values.auth -}}
  {{- if eq $.Values.mode "Knative" }}{{ fail "auth.enabled is for mode Standard; Knative's activator and queue-proxy stand between the mesh and the server: turn it off and ask at your own gateway." }}{{ end -}}
  {{- if not .issuer }}{{ fail "auth.enabled without an issuer trusts nobody; say in auth.issuer whose tokens are good." }}{{ end -}}
  {{- if and .jwksUri .jwks }}{{ fail "auth has both jwksUri and jwks; Istio takes one: leave the other empty." }}{{ end -}}
  {{- if not .allow }}{{ fail "auth.enabled without a rule denies everybody everything; say in auth.allow who may call what, if only [{methods: [GET, POST]}] for every good token." }}{{ end -}}
  {{- if not (or .gateway .pods) }}{{ fail "auth.enabled with neither auth.gateway nor auth.pods asks nowhere; turn one of them on." }}{{ end -}}
  {{- range .allow -}}
    {{- range .models -}}
      {{- if not (has . $names) }}{{ fail (printf "auth.allow has a rule for '%s', and models has none of that name; name one of: %s." . (join ", " $names)) }}{{ end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "sklearn-kserve.lookupChecks" -}}
{{- $policy := .Values.networkPolicy -}}
{{- with .Values.lookups -}}
  {{- if and .secrets (not .to) $policy.enabled (not $policy.egress) }}{{ fail "lookups.secrets has the addresses of sources, and networkPolicy lets the pods out to no source; say in lookups.to where they are." }}{{ end -}}
  {{- if and .to (not .ports) }}{{ fail "lookups.to without lookups.ports would let the pods out to every port; name those of the sources in lookups.ports." }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "sklearn-kserve.rateLimitChecks" -}}
{{- $auth := .Values.auth -}}
{{- $limited := or .Values.rateLimit.requestsPerSecond .Values.rateLimit.perCaller -}}
{{- range .Values.models }}{{ $limited = or $limited .requestsPerSecond }}{{ end -}}
{{- with .Values.rateLimit -}}
{{- if $limited -}}
  {{- if eq $.Values.mode "Knative" }}{{ fail "rateLimit is for mode Standard; in mode Knative the activator asks the pods, and Knative's own gateway has the hosts: limit there, or by settings.max_in_flight." }}{{ end -}}
  {{- if and (eq .at "pods") (not (include "sklearn-kserve.sidecar" $)) }}{{ fail "rateLimit.at is pods, and these have no sidecars to count; turn auth.enabled and auth.pods on, or count at the gateway." }}{{ end -}}
  {{- if and .perCaller (not (and $auth.enabled (get $auth .at))) }}{{ fail (printf "rateLimit.perCaller tells callers by their tokens, and nothing asks for one where rateLimit.at counts; turn auth.enabled and auth.%s on, or set rateLimit.perCaller to 0." .at) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sklearn-kserve.autoscalingChecks" -}}
{{- with .Values.autoscaling -}}
  {{- if eq $.Values.mode "Knative" }}{{ fail (printf "autoscaling.class is %s, and Knative scales by itself; leave it none in mode Knative." .class) }}{{ end -}}
  {{- if and $.Values.canary.enabled (eq $.Values.canary.method "native") }}{{ fail "autoscaling with canary.method native: KServe gives a native canary fixed pods and takes them off the stable's; use canary.method route, whose canary is scaled for itself." }}{{ end -}}
  {{- if and (eq .class "keda") (not (or .inFlight .queueDepth)) }}{{ fail "autoscaling.class is keda without requests to scale by; set autoscaling.inFlight or autoscaling.queueDepth, or use class hpa for CPU and memory." }}{{ end -}}
  {{- if and (eq .class "keda") .memory }}{{ fail (printf "autoscaling.memory is %d, and class keda scales by requests alone; use class hpa or external for memory." (int .memory)) }}{{ end -}}
  {{- if not (or .cpu .memory .inFlight .queueDepth) }}{{ fail (printf "autoscaling.class is %s without anything to scale by; set one of cpu, memory, inFlight and queueDepth." .class) }}{{ end -}}
  {{- if and (eq .class "hpa") (or .inFlight .queueDepth) }}{{ fail "autoscaling by requests: KServe's HPA knows CPU and memory alone; use autoscaling.class keda or external." }}{{ end -}}
  {{- $scaling := . -}}
  {{- range $service := (include "sklearn-kserve.services" $ | fromJson).items -}}
    {{- if gt (int $service.replicas) (int $scaling.maxReplicas) }}{{ fail (printf "autoscaling: '%s' has %d replicas to begin with, and autoscaling.maxReplicas is %d; raise the one or lower the other." $service.name (int $service.replicas) (int $scaling.maxReplicas)) }}{{ end -}}
    {{- if and (not $service.ours) (or $scaling.inFlight $scaling.queueDepth) }}{{ fail (printf "autoscaling by requests: '%s' is served by a runtime that does not count them under our names; use cpu, or a release of its own." $service.name) }}{{ end -}}
    {{- range $resource := ternary (list) (list "cpu" "memory") (eq $scaling.class "keda") -}}
      {{- if and (get $scaling $resource) (not (dig "requests" $resource "" $service.resources)) }}{{ fail (printf "autoscaling.%s is a share of what is requested, and '%s' requests no %s; add it to resources.requests." $resource $service.name $resource) }}{{ end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "sklearn-kserve.canaryChecks" -}}
{{- $mode := .Values.mode -}}
{{- $route := .Values.route -}}
{{- $replicas := .Values.replicas -}}
{{- $stable := dict -}}
{{- range .Values.models }}{{ if eq .name (include "sklearn-kserve.canaryOf" $) }}{{ $stable = . }}{{ end }}{{ end -}}
{{- with .Values.canary -}}
  {{- if and (not .model) (gt (len $.Values.models) 1) }}{{ fail "canary.enabled with several models leaves open whose canary it is; name one of them in canary.model." }}{{ end -}}
  {{- if not $stable }}{{ fail (printf "canary.model is '%s', and models has none of that name; name one of them." .model) }}{{ end -}}
  {{- if not (or .storageUri .path .imageTag .imageDigest) }}{{ fail "canary.enabled without anything that differs from the stable; say canary.storageUri or canary.path for another artifact, canary.imageTag or canary.imageDigest for another server." }}{{ end -}}
  {{- if and .storageUri .path }}{{ fail "canary has both storageUri and path; say storageUri for an artifact that KServe fetches, or path for one that the image carries." }}{{ end -}}
  {{- if and $stable.format (or .path .imageTag .imageDigest) }}{{ fail (printf "canary: '%s' is served by a runtime, whose image and paths it does not choose; say canary.storageUri." $stable.name) }}{{ end -}}
  {{- if and $stable.format (eq .method "route") (not (and (eq $stable.format "sklearn") (not $stable.runtime))) }}{{ fail (printf "canary: '%s' is served by a runtime that names a model by its InferenceService, so a second one would have another name; use canary.method native." $stable.name) }}{{ end -}}
  {{- if and .mirror (eq (int .weight) 100) }}{{ fail "canary.mirror with canary.weight 100 would send the canary its own requests twice; set one of them lower." }}{{ end -}}
  {{- if ne .method "route" -}}
    {{- if .header }}{{ fail (printf "canary.header needs canary.method route, and it is %s; leave canary.header empty or change the method." .method) }}{{ end -}}
    {{- if .mirror }}{{ fail (printf "canary.mirror needs canary.method route, and it is %s; set canary.mirror to 0 or change the method." .method) }}{{ end -}}
  {{- end -}}
  {{- if eq .method "route" -}}
    {{- if eq $mode "Knative" }}{{ fail "canary.method is route, and Knative routes to its revisions itself; use canary.method knative in mode Knative." }}{{ end -}}
    {{- if not $route.enabled }}{{ fail "canary.method route splits by the release's own HTTPRoute, and there is none; set route.enabled, route.domain and the route's gateway." }}{{ end -}}
  {{- else if eq .method "native" -}}
    {{- if eq $mode "Knative" }}{{ fail "canary.method is native, and KServe refuses spec.canary in Knative mode; use canary.method knative." }}{{ end -}}
    {{- if $route.enabled }}{{ fail "canary.method native splits by KServe's own HTTPRoute, which route.enabled turns off; turn route.enabled off, or use canary.method route." }}{{ end -}}
    {{- if not $stable.storageUri }}{{ fail (printf "canary.method native needs a stable with a storageUri, and '%s' comes from the image; give it a storageUri, or use canary.method route." $stable.name) }}{{ end -}}
    {{- if .path }}{{ fail "canary.method native inherits the stable's storageUri, so canary.path would not be read; use canary.storageUri, or canary.method route." }}{{ end -}}
  {{- else -}}
    {{- if ne $mode "Knative" }}{{ fail "canary.method knative sets canaryTrafficPercent, which KServe ignores in mode Standard; use canary.method route." }}{{ end -}}
    {{- if .replicas }}{{ fail "canary.replicas has no meaning for Knative, which scales each revision by its traffic; leave it 0." }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "sklearn-kserve.retrainingChecks" -}}
{{- with .Values.retraining -}}
  {{- if not .image }}{{ fail "retraining.enabled without image; say in retraining.image which one it is." }}{{ end -}}
  {{- range $pair := list (list "configMap" "config") (list "claim" "root") -}}
    {{- $one := get $.Values.retraining (first $pair) -}}
    {{- $other := get $.Values.retraining (last $pair) -}}
    {{- if not (or $one $other) }}{{ fail (printf "retraining.enabled without %s or %s; give one of retraining.%s and retraining.%s." (first $pair) (last $pair) (first $pair) (last $pair)) }}{{ end -}}
    {{- if and $one $other }}{{ fail (printf "retraining.%s and retraining.%s say the same thing; give one of them." (first $pair) (last $pair)) }}{{ end -}}
  {{- end -}}
  {{- if $.Values.verification.files }}{{ fail "retraining publishes versions that nobody has signed, and verification loads signed ones alone; sign them in a job of your own, or turn one of the two off." }}{{ end -}}
  {{- $prefix := printf "pvc://%s/" .claim -}}
  {{- $watched := false -}}
  {{- range (include "sklearn-kserve.services" $ | fromJson).items -}}
    {{- if and (hasPrefix $prefix .storageUri) .settings.watch_seconds }}{{ $watched = true }}{{ end -}}
  {{- end -}}
  {{- if and .claim (not $watched) }}{{ fail (printf "retraining.claim is '%s', and no model looks there for new versions; give one the storageUri %s<its name>, and settings.watch_seconds above 0." .claim $prefix) }}{{ end -}}
{{- end -}}
{{- end -}}
