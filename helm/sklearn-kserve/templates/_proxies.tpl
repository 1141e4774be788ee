{{/* Parts of envoyfilter.yaml. */}}
{{- define "sklearn-kserve.proxyContext" -}}
{{ ternary "GATEWAY" "SIDECAR_INBOUND" (eq . "gateway") }}
{{- end -}}

{{- define "sklearn-kserve.proxies" -}}
{{- if eq .place "gateway" -}}
{{- include "sklearn-kserve.atGateway" .root -}}
{{- else -}}
workloadSelector:
  labels:
    {{- include "sklearn-kserve.selectorLabels" .root | nindent 4 }}
    app.kubernetes.io/component: predictor
{{- end -}}
{{- end -}}

{{/*
The patches that limit models (.models), each by a bucket of its own and by one for each of its callers: a Gateway knows a
model by its host, a pod serves no other. Nothing where there is no limit.
*/}}
{{- define "sklearn-kserve.limits" -}}
{{- $root := .root -}}
{{- $limit := $root.Values.rateLimit -}}
{{- $keys := list -}}
{{- $buckets := list -}}
{{- range .models -}}
  {{- $model := .name -}}
  {{- $second := ternary .requestsPerSecond $limit.requestsPerSecond (hasKey . "requestsPerSecond") | int -}}
  {{- $which := dict "generic_key" (dict "descriptor_key" "model" "descriptor_value" $model) -}}
  {{- if eq $limit.at "gateway" -}}
    {{- $host := include "sklearn-kserve.host" (dict "root" $root "service" (dict "model" $model)) -}}
    {{- $pattern := printf "%s(:[0-9]+)?" (replace "." "\\." $host) -}}
    {{- $header := dict "name" ":authority" "string_match" (dict "safe_regex" (dict "regex" (printf "(?i)%s" $pattern))) -}}
    {{- $which = dict "header_value_match" (dict "descriptor_key" "model" "descriptor_value" $model "headers" (list $header)) -}}
  {{- end -}}
  {{- if $second -}}
    {{- $keys = append $keys (list $which) -}}
    {{- $entries := list (dict "key" "model" "value" $model) -}}
    {{- $buckets = append $buckets (dict "entries" $entries "second" $second) -}}
  {{- end -}}
  {{- if $limit.perCaller -}}
    {{- $path := list (dict "key" "payload") (dict "key" "sub") -}}
    {{- $claim := dict "key" "envoy.filters.http.jwt_authn" "path" $path -}}
    {{- $caller := dict "metadata" (dict "descriptor_key" "caller" "metadata_key" $claim "source" "DYNAMIC") -}}
    {{- $keys = append $keys (list $which $caller) -}}
    {{- $entries := list (dict "key" "model" "value" $model) (dict "key" "caller") -}}
    {{- $buckets = append $buckets (dict "entries" $entries "second" (int $limit.perCaller)) -}}
  {{- end -}}
{{- end -}}
{{- if $buckets -}}
configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: {{ include "sklearn-kserve.proxyContext" $limit.at }}
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter:
              name: envoy.filters.http.router
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.local_ratelimit
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
          stat_prefix: {{ include "sklearn-kserve.fullname" $root | replace "." "_" }}
          filter_enabled: {default_value: {numerator: 100, denominator: HUNDRED}}
          filter_enforced: {default_value: {numerator: 100, denominator: HUNDRED}}
          rate_limited_as_resource_exhausted: true
          enable_x_ratelimit_headers: DRAFT_VERSION_03
          response_headers_to_add:
            - header: {key: retry-after, value: "1"}
          rate_limits:
            {{- range $keys }}
            - actions:
                {{- toYaml . | nindent 16 }}
            {{- end }}
          descriptors:
            {{- range $buckets }}
            - entries:
                {{- toYaml .entries | nindent 16 }}
              token_bucket:
                max_tokens: {{ mul .second $limit.burstSeconds }}
                tokens_per_fill: {{ .second }}
                fill_interval: 1s
            {{- end }}
{{- end -}}
{{- end -}}
