{{- define "sklearn-kserve.sidecar" -}}
{{- if and .Values.auth.enabled .Values.auth.pods }}true{{ end -}}
{{- end -}}

{{/* The rules of auth.allow as Istio's; at the Gateway for the hosts of the models, in a pod for its own model (.model). */}}
{{- define "sklearn-kserve.allowRules" -}}
{{- $root := .root -}}
{{- $own := .model | default "" -}}
{{- range $rule := $root.Values.auth.allow }}
{{- $models := list }}
{{- range $root.Values.models }}{{ if has .name ($rule.models | default (list .name)) }}{{ $models = append $models .name }}{{ end }}{{ end }}
{{- if or (not $own) (has $own $models) }}
- from:
    - source:
        requestPrincipals: [{{ printf "%s/*" $root.Values.auth.issuer | quote }}]
  {{- if or (not $own) $rule.methods $rule.paths }}
  to:
    - operation:
        {{- if not $own }}
        hosts:
          {{- range $models }}
          {{- $host := include "sklearn-kserve.host" (dict "root" $root "service" (dict "model" .)) }}
          - {{ $host | quote }}
          - {{ printf "%s:*" $host | quote }}
          {{- end }}
        {{- end }}
        {{- with $rule.methods }}
        methods: {{ toJson . }}
        {{- end }}
        {{- with $rule.paths }}
        paths: {{ toJson . }}
        {{- end }}
  {{- end }}
  {{- with $rule.claims }}
  when:
    {{- range $claim, $values := . }}
    - key: {{ printf "request.auth.claims[%s]" $claim | quote }}
      values: {{ toJson $values }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What nobody does through the mesh, whatever the token: listing, loading and unloading of artifacts. */}}
{{- define "sklearn-kserve.repositoryPaths" -}}
["/v2/repository*", "/inference.GRPCInferenceService/Repository*"]
{{- end -}}

{{/* Policies reach a Gateway from its own namespace alone. */}}
{{- define "sklearn-kserve.atGateway" -}}
targetRefs:
  - group: gateway.networking.k8s.io
    kind: Gateway
    name: {{ .Values.route.gateway | quote }}
{{- end -}}

{{- define "sklearn-kserve.atPods" -}}
selector:
  matchLabels:
    {{- include "sklearn-kserve.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/component: predictor
{{- end -}}

{{/* Names and labels of a policy at the Gateway, where other releases have theirs, or at the pods. */}}
{{- define "sklearn-kserve.policyMeta" -}}
{{- $suffix := ternary (printf "-%s" (.suffix | default "")) "" (ne (.suffix | default "") "") -}}
{{- if eq .place "gateway" -}}
name: {{ include "sklearn-kserve.fullname" .root }}-{{ .root.Release.Namespace }}{{ $suffix }}
namespace: {{ .root.Values.route.gatewayNamespace | quote }}
{{- else -}}
name: {{ include "sklearn-kserve.fullname" .root }}{{ $suffix }}
namespace: {{ .root.Release.Namespace | quote }}
{{- end }}
labels:
  {{- include "sklearn-kserve.labels" .root | nindent 2 }}
{{- end -}}
