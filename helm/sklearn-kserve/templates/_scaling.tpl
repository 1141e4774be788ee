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
