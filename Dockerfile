# The model server, with the penguins model at /models so that it answers before anybody has trained anything; and by
# `--target training` what trains models for it.
#
# To build without a network, run `make wheels` first and pass `--build-arg PIP_NO_INDEX=1`.
ARG BASE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${BASE} AS builder
ARG PIP_NO_INDEX=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_FIND_LINKS=/src/requirements/wheels \
    PIP_NO_CACHE_DIR=1 \
    PIP_REQUIRE_VIRTUALENV=1 \
    PYTHONSAFEPATH=1
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements/build.txt \
    && python -m venv --without-pip /opt/venv \
    && /opt/build/bin/pip --python /opt/venv/bin/python install --require-hashes -r requirements/serve.txt
COPY . .
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/build/bin/pip --python /opt/venv/bin/python install --no-deps --no-index dist/*.whl

# Training's own dependencies are in no server; the versions that a model pins are those of the server.
FROM builder AS trainer
RUN /opt/build/bin/pip --python /opt/venv/bin/python install --require-hashes -r requirements/train.txt

FROM trainer AS example
RUN /opt/venv/bin/python -m training run --config examples/penguins.yaml --root /models \
    && rm -rf /models/.runs

FROM ${BASE} AS training
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sklearn-kserve-training" \
      org.opencontainers.image.description="Trains scikit-learn models and publishes them for sklearn-kserve" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=trainer /opt/venv /opt/venv
# The root file system may be read-only: what libraries keep for themselves goes to /tmp.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
USER 10001:10001
ENTRYPOINT ["python", "-m", "training"]

# The last stage is what a build makes that names none: the server.
FROM ${BASE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sklearn-kserve" \
      org.opencontainers.image.description="A Kubernetes-native inference service for scikit-learn models on KServe" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=builder /opt/venv /opt/venv
COPY --from=example /models /models
# The modules are compiled already and the root file system may be read-only: nothing is written at run time.
# The working directory stays off the import path, so that only --code_dir brings in foreign code.
# Inside a cluster the mesh authenticates, hence the public bind without keys.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    SKLEARN_KSERVE_ALLOW_UNAUTHENTICATED=true \
    SKLEARN_KSERVE_HOST=0.0.0.0
WORKDIR /
# Numeric, so that Kubernetes can check runAsNonRoot; above 10000, so that it is no user of the node.
USER 10001:10001
EXPOSE 8080 8081
# No HEALTHCHECK: Kubernetes ignores it and probes /v2/health itself.
# Exec form: the server is process 1, gets SIGTERM itself, and takes the arguments that KServe appends.
# No CMD: a predictor whose arguments were forgotten must fail for want of a model, not serve penguins.
ENTRYPOINT ["python", "-m", "model"]
