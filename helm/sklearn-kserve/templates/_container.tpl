{{/* The server's flags; numbers by toJson, for Helm itself would print 33554432 as 3.3554432e+07. */}}
{{- define "sklearn-kserve.args" -}}
{{- $root := .root -}}
{{- with .service -}}
- --model_name={{ .model }}
- {{ printf "--model_dir=%s" (ternary "/mnt/models" .path (ne .storageUri "")) | quote }}
{{- range $name, $value := .settings }}
{{- $text := kindIs "slice" $value | ternary (join "," $value) (kindIs "string" $value | ternary $value (toJson $value)) }}
- {{ printf "--%s=%s" $name $text | quote }}
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

{{/* Variables from Secrets, of a list of their names. */}}
{{- define "sklearn-kserve.envFrom" -}}
{{- with . -}}
envFrom:
  {{- range . }}
  - secretRef:
      name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/*
The server's container. KServe makes the first port the Service's port 80, and gives a port named grpc HTTP/2.
Started once the model has answered its golden rows; alive as long as the event loop turns, whatever the models do.
No preStop: on SIGTERM the server itself turns unready and goes on answering for drain_seconds.
*/}}
{{- define "sklearn-kserve.container" -}}
{{- $knative := eq .root.Values.mode "Knative" -}}
name: kserve-container
image: {{ .service.image | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args:
  {{- include "sklearn-kserve.args" . | nindent 2 }}
{{- with include "sklearn-kserve.envFrom" .root.Values.lookups.secrets }}
{{- . | nindent 0 }}
{{- end }}
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
  # By the name Istio knows the protocol, and need not guess it; Knative asks for another.
  - name: {{ ternary "http1" "http" $knative }}
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

{{/* The server's volumes; whole directories, so that what changes in a Secret or ConfigMap reaches the server. */}}
{{- define "sklearn-kserve.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.pod.tmpSize | quote }}
{{- with .Values.verification }}
{{- if .files }}
- name: verify-keys
  {{- if .configMap }}
  configMap:
    name: {{ .configMap | quote }}
  {{- else }}
  secret:
    secretName: {{ .secret | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- with .Values.apiKeys.secret }}
- name: api-keys
  secret:
    secretName: {{ . | quote }}
    defaultMode: 0440
{{- end }}
{{- end -}}
