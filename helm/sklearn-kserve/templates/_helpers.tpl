{{/* The release's name, or the chart's where the two are the same. */}}
{{- define "sklearn-kserve.fullname" -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "sklearn-kserve.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
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

{{- define "sklearn-kserve.dnsRule" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.networkPolicy.dnsNamespace | quote }}
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}

{{- define "sklearn-kserve.storageRule" -}}
- to:
    {{- range .Values.networkPolicy.storageCidrs }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
  ports:
    {{- range .Values.networkPolicy.storagePorts }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- end -}}

{{- define "sklearn-kserve.lookupRule" -}}
- to:
    {{- toYaml .Values.lookups.to | nindent 4 }}
  ports:
    {{- range .Values.lookups.ports }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- end -}}

{{/* The port of an address, said in it or by its scheme. */}}
{{- define "sklearn-kserve.port" -}}
{{- $url := urlParse . -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}
