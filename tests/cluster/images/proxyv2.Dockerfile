# Istio's proxy as its own image has it: as far as a gateway needs, and iptables for the init container of sidecars.
ARG BASE
FROM ${BASE}
RUN apt-get update --quiet=2 \
    && apt-get install --quiet=2 --yes --no-install-recommends iptables \
    && rm -rf /var/lib/apt/lists
COPY pilot-agent envoy /usr/local/bin/
COPY envoy_bootstrap.json /var/lib/istio/envoy/envoy_bootstrap_tmpl.json
USER 1337:1337
ENTRYPOINT ["/usr/local/bin/pilot-agent"]
