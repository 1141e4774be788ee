"""A server of S3 in a pod, which checks credentials, and in a bucket of it what is on the models' claim."""

import json
from typing import Final

from tests.cluster.harness.cluster import Namespace, Object
from tests.cluster.harness.images import S3
from tests.cluster.models import CLAIM, pod

BUCKET: Final = "models"
PORT: Final = 9000
SECRET: Final = "object-store"
_NAME: Final = "s3"
_REGION: Final = "us-east-1"
# Until somebody has a key, nobody is asked for one.
_FILL: Final = """
import json, pathlib, sys
import boto3, requests

url, region, bucket, root = *sys.argv[1:4], pathlib.Path("/models")
anybody = dict(endpoint_url=url, region_name=region, aws_access_key_id="any", aws_secret_access_key="any")
s3, iam = boto3.client("s3", **anybody), boto3.client("iam", **anybody)
s3.create_bucket(Bucket=bucket)
for file in root.rglob("*"):
    if file.is_file():
        s3.upload_file(str(file), bucket, str(file.relative_to(root)))
reads = {"Effect": "Allow", "Action": ["s3:Get*", "s3:Head*", "s3:List*"], "Resource": "*"}
iam.create_user(UserName="kserve")
policy = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
iam.put_user_policy(UserName="kserve", PolicyName="reads", PolicyDocument=policy)
key = iam.create_access_key(UserName="kserve")["AccessKey"]
requests.post(f"{url}/moto-api/reset-auth", data=b"0").raise_for_status()
print(json.dumps({"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}))
"""

Key = dict[str, str]


def filled(namespace: Namespace) -> Key:
    """
    Start the server, put into its bucket what is on the claim, and return the one key that may read it.

    Afterwards ``s3://models/<name>/<version>`` is an artifact.
    """
    server = pod(_NAME, S3, CLAIM)
    server["metadata"]["labels"] = {"app": _NAME}
    probe = {"httpGet": {"path": "/moto-api/", "port": PORT}, "periodSeconds": 1}
    server["spec"]["containers"][0]["readinessProbe"] = probe
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _NAME},
        "spec": {"selector": {"app": _NAME}, "ports": [{"port": PORT}]},
    }
    namespace.apply(server, service)
    namespace.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{_NAME}")
    arguments = [f"http://localhost:{PORT}", _REGION, BUCKET]
    key: Key = json.loads(namespace.kubectl("exec", _NAME, "--", "python", "-c", _FILL, *arguments))
    return key


def secret(namespace: Namespace, key: Key) -> Object:
    """Return the Secret by which KServe asks the server."""
    annotations = {
        # By this ending the server knows that the bucket is in the path.
        "serving.kserve.io/s3-endpoint": f"{_NAME}.{namespace.name}.svc.cluster.local:{PORT}",
        "serving.kserve.io/s3-region": _REGION,
        "serving.kserve.io/s3-usehttps": "0",
    }
    metadata = {"name": SECRET, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": key}


__all__ = ["BUCKET", "PORT", "SECRET", "Key", "filled", "secret"]
