"""Servers of S3 and GCS in processes of their own: moto, and fake-gcs-server, which check conditions as the real ones do."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.processes import unmeasured
from tests.tools import built

BUCKET: Final = "models"

# One request after the other: moto compares an ETag and writes the object in two steps, between which a second thread
# of the same server would come.
_PROGRAM: Final = """
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

server = make_server("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app))
print(f"http://127.0.0.1:{server.port}", flush=True)
server.serve_forever()
"""


@contextmanager
def serving_s3(bucket: str = BUCKET, port: int = 0) -> Iterator[Mapping[str, str]]:
    """
    Serve S3 with one empty bucket.

    Yields
    ------
    environment : mapping of str to str
        Variables by which the usual clients find the server.
    """
    with _printing_its_url([sys.executable, "-c", _PROGRAM, str(port)]) as url:
        httpx.put(f"{url}/{bucket}", timeout=30).raise_for_status()
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_REGION": "us-east-1",
        }


@contextmanager
def serving_gcs(bucket: str = BUCKET) -> Iterator[Mapping[str, str]]:
    """
    Serve GCS with one empty bucket.

    Yields
    ------
    environment : mapping of str to str
        The variable by which the client that is used here finds the server.
    """
    command = [str(built("gcs") / "gcs"), bucket]
    with _printing_its_url(command) as url, tempfile.TemporaryDirectory() as directory:
        yield gcs_environment(url, Path(directory))


def gcs_environment(url: str, directory: Path) -> Mapping[str, str]:
    """Write the service account of a server that asks for none, and return the variable that names it."""
    account = directory / "account.json"
    nobody = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
    account.write_text(json.dumps({"gcs_base_url": url, "disable_oauth": True, **nobody}))
    return {"GOOGLE_SERVICE_ACCOUNT": str(account)}


@contextmanager
def _printing_its_url(command: Sequence[str]) -> Iterator[str]:
    process = subprocess.Popen(command, env=unmeasured(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    printed = process.stdout
    assert printed is not None
    try:
        yield printed.readline().strip()
    finally:
        process.kill()
        process.wait()
        printed.close()
