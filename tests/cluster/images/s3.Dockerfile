# A server that speaks S3 and checks who asks: moto's.
ARG BASE
FROM ${BASE}
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY s3.txt /
RUN python -m venv /opt/s3 && /opt/s3/bin/pip install --require-hashes --requirement=/s3.txt
ENV PATH=/opt/s3/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 9000
ENTRYPOINT ["moto_server", "--host=0.0.0.0", "--port=9000"]
