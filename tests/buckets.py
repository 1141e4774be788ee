"""A real server of S3 in a process of its own: moto's, which checks conditions as S3 does."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx

BUCKET: Final = "models"

# One request after the other: moto compares an ETag and writes the object in two steps, between which a second thread
# of the same server would come.
_PROGRAM: Final = """
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

server = make_server("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app))
print(server.port, flush=True)
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
    command = [sys.executable, "-c", _PROGRAM, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    printed = process.stdout
    assert printed is not None
    try:
        url = f"http://127.0.0.1:{int(printed.readline())}"
        httpx.put(f"{url}/{bucket}", timeout=30).raise_for_status()
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_REGION": "us-east-1",
        }
    finally:
        process.kill()
        process.wait()
        printed.close()
