import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import boto3
import httpx
import pytest
from obstore.store import GCSStore

from tests.buckets import serving_gcs
from tests.processes import unmeasured
from training.ingest import SnapshotStore

BUCKET = "data"


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "work" / "snapshots")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server of S3, a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=unmeasured(),
    )
    try:
        _wait_for(f"{url}/moto-api/")
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[Mapping[str, str]]:
    """The environment that leads to a server of GCS, a process of its own."""
    with serving_gcs(BUCKET) as environment:
        yield environment


@pytest.fixture(params=["s3", pytest.param("gs", marks=pytest.mark.system)])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> "Bucket":
    """An empty bucket, and the environment by which it is reached."""
    if request.param == "gs":
        for name, value in request.getfixturevalue("gcs_server").items():
            monkeypatch.setenv(name, value)
        return GcsBucket()
    s3_server = request.getfixturevalue("s3_server")
    settings = {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-bucket",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    httpx.post(f"{s3_server}/moto-api/reset").raise_for_status()
    return S3Bucket(s3_server)


class Bucket(Protocol):
    url: str

    def put(self, key: str, content: bytes) -> str:
        """Put an object, and return its URL."""


class S3Bucket:
    url = f"s3://{BUCKET}"

    def __init__(self, server: str) -> None:
        self._client = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
        self._client.create_bucket(Bucket=BUCKET)

    def put(self, key: str, content: bytes) -> str:
        self._client.put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"{self.url}/{key}"


class GcsBucket:
    url = f"gs://{BUCKET}"

    def __init__(self) -> None:
        self._store = GCSStore(BUCKET)
        self._store.delete([entry["path"] for page in self._store.list() for entry in page])

    def put(self, key: str, content: bytes) -> str:
        self._store.put(key, content, use_multipart=False)
        return f"{self.url}/{key}"


def _wait_for(url: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            httpx.get(url)
        except httpx.TransportError:
            assert time.monotonic() < end, f"{url} does not answer"
            time.sleep(0.1)
        else:
            return
