# KServe's storage initializer, as its own image has it: its package, and the script that calls it.
ARG BASE
FROM ${BASE}
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY storage-initializer.txt /
RUN python -m venv /prod_venv && /prod_venv/bin/pip install --require-hashes --requirement=/storage-initializer.txt
COPY --chmod=755 initializer-entrypoint /storage-initializer/scripts/
ENV PATH=/prod_venv/bin:$PATH
USER 1000
ENTRYPOINT ["/storage-initializer/scripts/initializer-entrypoint"]
