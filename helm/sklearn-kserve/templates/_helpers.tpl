{{/* The release's name, or the chart's where the two are the same. */}}
{{- define "sklearn-kserve.fullname" -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "sklearn-kserve.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Without the versions of chart and app: KServe hands labels on to the pods, and a new chart is no reason to restart them. */}}
{{- define "sklearn-kserve.labels" -}}
{{ include "sklearn-kserve.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "sklearn-kserve.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "sklearn-kserve.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "sklearn-kserve.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/*
What runs: an entry for each model, and one for the canary, as JSON under `items`. Each template that makes an object for
each of them reads this list, so that they can't differ about who is there. By `route` the canary is an InferenceService
`<model>-canary` of its own; by `native` KServe gives its Deployment and Service the same names. In Knative mode it is
the model's next revision.
*/}}
{{- define "sklearn-kserve.services" -}}
{{- $values := .Values -}}
{{- $canary := $values.canary -}}
{{- $items := list -}}
{{- range $model := $values.models -}}
  {{- /* Not by merge, for which false and 0 are nothing. */ -}}
  {{- $settings := dict -}}
  {{- range $each := list $values.settings ($model.settings | default dict) -}}
    {{- range $name, $value := $each }}{{ $_ := set $settings $name $value }}{{ end -}}
  {{- end -}}
  {{- $stable := dict
    "track" "stable"
    "name" $model.name
    "model" $model.name
    "image" (include "sklearn-kserve.image" $)
    "storageUri" ($model.storageUri | default "")
    "path" ($model.path | default (printf "/models/%s" $model.name))
    "replicas" (ternary $model.replicas $values.replicas (hasKey $model "replicas"))
    "resources" ($model.resources | default $values.resources)
    "settings" $settings
    "example" ($model.example | default dict)
    "format" ($model.format | default "")
    "formatVersion" ($model.formatVersion | default "")
    "runtime" ($model.runtime | default (ternary (include "sklearn-kserve.fullname" $) "" (and $values.runtime.create (eq ($model.format | default "") "sklearn"))))
    "protocol" ($model.protocol | default "v2")
    "logger" ($model.logger | default dict)
    "batcher" ($model.batcher | default dict)
    "transformer" ($model.transformer | default dict)
    "explainer" ($model.explainer | default dict)
  -}}
  {{- $_ := set $stable "ours" (or (empty $stable.format) (and $values.runtime.create (eq $stable.runtime (include "sklearn-kserve.fullname" $)))) -}}
  {{- if not (and $canary.enabled (eq $model.name (include "sklearn-kserve.canaryOf" $))) -}}
    {{- $items = append $items $stable -}}
  {{- else -}}
    {{- $image := dict "Chart" $.Chart "Values" (dict "image" (dict
      "repository" $values.image.repository
      "tag" ($canary.imageTag | default $values.image.tag)
      "digest" (ternary $values.image.digest $canary.imageDigest (and (empty $canary.imageTag) (empty $canary.imageDigest)))
    )) -}}
    {{- $other := mustMergeOverwrite (dict) $stable (dict
      "track" "canary"
      "name" (printf "%s-canary" $model.name)
      "image" (include "sklearn-kserve.image" $image)
      "path" ($canary.path | default $stable.path)
      "replicas" ($canary.replicas | default $stable.replicas)
    ) -}}
    {{- $_ := set $other "storageUri" (ternary "" ($canary.storageUri | default $stable.storageUri) (ne $canary.path "")) -}}
    {{- if eq $canary.method "knative" -}}
      {{- $items = append $items (set $other "name" $model.name) -}}
    {{- else -}}
      {{- $items = concat $items (list $stable $other) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end -}}

{{/* The model that the canary is of. */}}
{{- define "sklearn-kserve.canaryOf" -}}
{{- .Values.canary.model | default (first .Values.models).name -}}
{{- end -}}

{{/* Under KServe's own host for the model, so that clients don't notice who routes. */}}
{{- define "sklearn-kserve.host" -}}
{{ .service.model }}-{{ .root.Release.Namespace }}.{{ .root.Values.route.domain }}
{{- end -}}

{{/* The server's flags; numbers by toJson, for Helm itself would print 33554432 as 3.3554432e+07. */}}
{{- define "sklearn-kserve.args" -}}
{{- $root := .root -}}
{{- with .service -}}
- --model_name={{ .model }}
- --model_dir={{ ternary "/mnt/models" .path (ne .storageUri "") }}
{{- range $name, $value := .settings }}
- --{{ $name }}={{ if kindIs "slice" $value }}{{ join "," $value }}{{ else if kindIs "string" $value }}{{ $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
{{- end }}
{{- with $root.Values.verification.files }}
- --verify_key=/etc/sklearn-kserve/verify-keys/{{ join ",/etc/sklearn-kserve/verify-keys/" . }}
{{- end }}
{{- if $root.Values.apiKeys.secret }}
- --api_key_file=/etc/sklearn-kserve/api-keys/{{ $root.Values.apiKeys.file }}
- --allow_unauthenticated=false
{{- end }}
{{- end -}}

{{- define "sklearn-kserve.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsGroup: {{ int64 .Values.pod.user }}
runAsNonRoot: true
runAsUser: {{ int64 .Values.pod.user }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "sklearn-kserve.podSecurityContext" -}}
fsGroup: {{ int64 .Values.pod.user }}
runAsGroup: {{ int64 .Values.pod.user }}
runAsNonRoot: true
runAsUser: {{ int64 .Values.pod.user }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/*
The server's container. KServe makes the first port the Service's port 80, and gives a port named grpc HTTP/2.
Started once the model has answered its golden rows; alive as long as the event loop turns, whatever the models do.
No preStop: on SIGTERM the server itself turns unready and goes on answering for drain_seconds.
*/}}
{{- define "sklearn-kserve.container" -}}
{{- $knative := eq .root.Values.mode "Knative" -}}
name: kserve-container
image: {{ .service.image }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args:
  {{- include "sklearn-kserve.args" . | nindent 2 }}
env:
  - name: PROTOCOL
    value: v2
  {{- with ternary "" .service.storageUri (hasKey .service "template") }}
  - name: STORAGE_URI
    value: {{ . | quote }}
  {{- end }}
  {{- with .root.Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: http1
    containerPort: 8080
    protocol: TCP
  {{- if not $knative }}
  - name: grpc
    containerPort: 8081
    protocol: TCP
  {{- end }}
startupProbe:
  httpGet: {path: /v2/health/ready, port: 8080}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div (add .root.Values.pod.startupSeconds 1) 2 }}
readinessProbe:
  httpGet: {path: /v2/health/ready, port: 8080}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /v2/health/live, port: 8080}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
resources:
  {{- toYaml .service.resources | nindent 2 }}
securityContext:
  {{- include "sklearn-kserve.containerSecurityContext" .root | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if .root.Values.verification.files }}
  - name: verify-keys
    mountPath: /etc/sklearn-kserve/verify-keys
    readOnly: true
  {{- end }}
  {{- if .root.Values.apiKeys.secret }}
  - name: api-keys
    mountPath: /etc/sklearn-kserve/api-keys
    readOnly: true
  {{- end }}
{{- end -}}

{{/* Seconds from the signal to the server's end: 30 at most, or its drain and 3. */}}
{{- define "sklearn-kserve.endsWithin" -}}
{{ max 30 (add 3 (ceil .settings.drain_seconds)) }}
{{- end -}}

{{/* A predictor's pod. */}}
{{- define "sklearn-kserve.predictor" -}}
{{- $values := .root.Values -}}
{{- $knative := eq $values.mode "Knative" -}}
labels:
  {{- include "sklearn-kserve.selectorLabels" .root | nindent 2 }}
  app.kubernetes.io/component: predictor
  {{- if include "sklearn-kserve.sidecar" .root }}
  sidecar.istio.io/inject: "true"
  {{- end }}
  {{- with $values.pod.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if or (include "sklearn-kserve.sidecar" .root) $values.pod.annotations }}
annotations:
  {{- if include "sklearn-kserve.sidecar" .root }}
  # The sidecar stays for as long as the server answers, and hands its metrics on, merged with its own, at port 15020.
  proxy.istio.io/config: '{"holdApplicationUntilProxyStarts": true, "terminationDrainDuration": "{{ include "sklearn-kserve.endsWithin" .service }}s"}'
  prometheus.io/path: /metrics
  prometheus.io/port: "8080"
  prometheus.io/scrape: "true"
  {{- end }}
  {{- with $values.pod.annotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
serviceAccountName: {{ include "sklearn-kserve.serviceAccountName" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .service.logger }}
logger:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .service.batcher }}
batcher:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if not $knative }}
deploymentStrategy:
  type: RollingUpdate
  rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
{{- if .service.ours }}
terminationGracePeriodSeconds: {{ add 5 (include "sklearn-kserve.endsWithin" .service) }}
securityContext:
  {{- include "sklearn-kserve.podSecurityContext" .root | nindent 2 }}
{{- else }}
# A runtime that is not ours has a user of its own.
securityContext:
  runAsNonRoot: true
  seccompProfile:
    type: RuntimeDefault
{{- end }}
{{- with $values.pod.spreadOver }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app: isvc.{{ $.service.name }}-predictor
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}
{{- if .service.format }}
model:
  modelFormat:
    name: {{ .service.format }}
    {{- with .service.formatVersion }}
    version: {{ . | quote }}
    {{- end }}
  {{- with .service.runtime }}
  runtime: {{ . }}
  {{- end }}
  {{- if and .service.ours (eq .service.track "canary") }}
  # The runtime names a model by its InferenceService; clients know the canary by the stable's name.
  args: [--model_name={{ .service.model }}]
  {{- end }}
  protocolVersion: {{ .service.protocol }}
  storageUri: {{ .service.storageUri | quote }}
  resources:
    {{- toYaml .service.resources | nindent 4 }}
{{- else }}
containers:
  - {{ include "sklearn-kserve.container" . | indent 4 | trim }}
volumes:
  {{- include "sklearn-kserve.volumes" .root | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The server's volumes; whole directories, so that what changes in a Secret or ConfigMap reaches the server. */}}
{{- define "sklearn-kserve.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.pod.tmpSize }}
{{- with .Values.verification }}
{{- if .files }}
- name: verify-keys
  {{- if .configMap }}
  configMap:
    name: {{ .configMap }}
  {{- else }}
  secret:
    secretName: {{ .secret }}
  {{- end }}
{{- end }}
{{- end }}
{{- with .Values.apiKeys.secret }}
- name: api-keys
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{/* The metrics of an HPA, KServe's or ours, as far as they are a pod's own resources. */}}
{{- define "sklearn-kserve.resourceMetrics" -}}
{{- range $name, $percent := pick .Values.autoscaling "cpu" "memory" }}
{{- if $percent }}
- type: Resource
  resource:
    name: {{ $name }}
    target:
      type: Utilization
      averageUtilization: {{ $percent }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Quickly up, for a queue does not wait; slowly down, for the next peak comes. */}}
{{- define "sklearn-kserve.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Percent, value: 100, periodSeconds: 15}
    - {type: Pods, value: 4, periodSeconds: 15}
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.calmSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end -}}

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
["/v2/repository/*", "/inference.GRPCInferenceService/Repository*"]
{{- end -}}

{{/* Policies reach a Gateway from its own namespace alone. */}}
{{- define "sklearn-kserve.atGateway" -}}
targetRefs:
  - group: gateway.networking.k8s.io
    kind: Gateway
    name: {{ .Values.route.gateway }}
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
namespace: {{ .root.Values.route.gatewayNamespace }}
{{- else -}}
name: {{ include "sklearn-kserve.fullname" .root }}{{ $suffix }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "sklearn-kserve.labels" .root | nindent 2 }}
{{- end -}}

{{- define "sklearn-kserve.dnsRule" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.networkPolicy.dnsNamespace }}
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}
