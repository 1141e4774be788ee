{{/*
monitoring/rules.yaml with the release's values in place of the file's own: groups, as JSON. The file is text here and
never a template, so that Prometheus' own {{ $labels }} stay; a test holds that each of these is found in it.
*/}}
{{- define "sklearn-kserve.ruleGroups" -}}
{{- $values := .Values.monitoring -}}
{{- $seconds := toString $values.latencySeconds -}}
{{- $text := .Files.Get "monitoring/rules.yaml"
  | replace `job="sklearn-kserve"` (printf `job="%s/%s"` .Release.Namespace (include "sklearn-kserve.fullname" .))
  | replace "(1 - 0.999)" (printf "(1 - %v)" $values.availability)
  | replace "(1 - 0.99)" (printf "(1 - %v)" $values.latencyShare)
  | replace `le="0.1"` (printf `le="%s"` (ternary $seconds (printf "%s.0" $seconds) (contains "." $seconds)))
  | replace "/ 86400 > 30" (printf "/ 86400 > %d" (int $values.modelAgeDays))
  | replace "for: 24h" (printf "for: %dh" (int $values.canaryHours))
  | replace "docs/runbook.md" $values.runbook -}}
{{- $groups := list -}}
{{- $names := list -}}
{{- range (fromYaml $text).groups -}}
  {{- $rules := list -}}
  {{- range .rules -}}
    {{- $names = append $names .alert -}}
    {{- /* Without a namespace the operator's AlertmanagerConfigs would pass an alert over. */ -}}
    {{- if .alert }}{{ $_ := set .labels "namespace" $.Release.Namespace }}{{ end -}}
    {{- if not (has .alert $values.disabledAlerts) }}{{ $rules = append $rules . }}{{ end -}}
  {{- end -}}
  {{- $groups = append $groups (dict "name" .name "rules" $rules) -}}
{{- end -}}
{{- range $values.disabledAlerts -}}
  {{- if not (has . $names) }}{{ fail (printf "monitoring.disabledAlerts names '%s', and there is no such alert; docs/runbook.md has them all." .) }}{{ end -}}
{{- end -}}
{{- dict "groups" $groups | toJson -}}
{{- end -}}
