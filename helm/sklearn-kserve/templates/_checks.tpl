{{/* What the schema can't see: values that exclude or need one another. Each refusal says what to do. */}}
{{- define "sklearn-kserve.checks" -}}
{{- $names := list -}}
{{- range .Values.models -}}
  {{- if has .name $names }}{{ fail (printf "models names '%s' twice; each model is an InferenceService of its own: give each its name." .name) }}{{ end -}}
  {{- $names = append $names .name -}}
  {{- if and .storageUri .path }}{{ fail (printf "models: '%s' has both storageUri and path; say storageUri for a model that KServe fetches, or path for one that the image carries." .name) }}{{ end -}}
{{- end -}}
{{- range (include "sklearn-kserve.services" . | fromJson).items -}}
  {{- if and .settings.enable_repository_api (not $.Values.apiKeys.secret) }}{{ fail "settings.enable_repository_api lets clients load and unload models, and without API keys that would be everybody; name the keys' Secret in apiKeys.secret." }}{{ end -}}
{{- end -}}
{{- with .Values.verification -}}
  {{- if and .configMap .secret }}{{ fail "verification has both configMap and secret; public keys come from one of them: leave the other empty." }}{{ end -}}
  {{- if and (or .configMap .secret) (not .files) }}{{ fail "verification names keys' ConfigMap or Secret but no files in it, so nothing would be verified; list the file names in verification.files." }}{{ end -}}
  {{- if and .files (not (or .configMap .secret)) }}{{ fail "verification.files names keys that come from nowhere; say which ConfigMap or Secret holds them in verification.configMap or verification.secret." }}{{ end -}}
{{- end -}}
{{- end -}}
