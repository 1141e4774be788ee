{{/* Seconds from the signal to the server's end: 30 at most, or its drain and 3. */}}
{{- define "sklearn-kserve.endsWithin" -}}
{{ max 30 (add 3 (ceil .settings.drain_seconds)) }}
{{- end -}}

{{/* Labels of a pod of the server; all that selects pods goes by them. */}}
{{- define "sklearn-kserve.podLabels" -}}
{{ include "sklearn-kserve.selectorLabels" . }}
app.kubernetes.io/component: predictor
{{- if include "sklearn-kserve.sidecar" . }}
sidecar.istio.io/inject: "true"
{{- end }}
{{- with .Values.pod.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Annotations of a pod of the server; .service says when it ends. */}}
{{- define "sklearn-kserve.podAnnotations" -}}
{{- if include "sklearn-kserve.sidecar" .root -}}
# The sidecar stays for as long as the server answers, and hands its metrics on, merged with its own, at port 15020.
proxy.istio.io/config: '{"holdApplicationUntilProxyStarts": true, "terminationDrainDuration": "{{ include "sklearn-kserve.endsWithin" .service }}s"}'
prometheus.io/path: /metrics
prometheus.io/port: "8080"
prometheus.io/scrape: "true"
{{ end }}
{{- with .root.Values.pod.annotations -}}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A predictor's pod. */}}
{{- define "sklearn-kserve.predictor" -}}
{{- $values := .root.Values -}}
{{- $knative := eq $values.mode "Knative" -}}
labels:
  {{- include "sklearn-kserve.podLabels" .root | nindent 2 }}
{{- with include "sklearn-kserve.podAnnotations" . | trim }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "sklearn-kserve.serviceAccountName" .root | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with $values.pod.priorityClassName }}
priorityClassName: {{ . | quote }}
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
  - topologyKey: {{ . | quote }}
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
    name: {{ .service.format | quote }}
    {{- with .service.formatVersion }}
    version: {{ . | quote }}
    {{- end }}
  {{- with .service.runtime }}
  runtime: {{ . | quote }}
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
