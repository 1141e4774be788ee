# Istio's proxy as its own image has it, as far as a gateway needs.
ARG BASE
FROM ${BASE}
COPY pilot-agent envoy /usr/local/bin/
COPY envoy_bootstrap.json /var/lib/istio/envoy/envoy_bootstrap_tmpl.json
USER 1337:1337
ENTRYPOINT ["/usr/local/bin/pilot-agent"]
