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
