"""Training on a schedule, by a job that the cluster trusts with nothing."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.matrix import put
from tests.deploy.rendering import ROOT, container, files, objects, of_kind, values_of
from training.cli import REFUSED, _parser
from training.config import load_config

BOTH = ("retraining", "retraining-bucket")
TMP = "/tmp"  # noqa: S108 -- a volume of the pod's


def job(case: str = "retraining") -> dict[str, Any]:
    (found,) = of_kind("CronJob", values_of(case)).values()
    return found


def pod(case: str = "retraining") -> dict[str, Any]:
    found: dict[str, Any] = job(case)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def arguments(case: str) -> Any:
    """Return the arguments as the command reads them."""
    (training,) = pod(case)["containers"]
    *command, retrain = training["command"]
    assert command == ["/opt/venv/bin/python", "-m", "training"]
    return _parser().parse_args([retrain, *training["args"]])


def mounts(case: str) -> dict[str, dict[str, Any]]:
    return {each["mountPath"]: each for each in pod(case)["containers"][0]["volumeMounts"]}


def test_should_not_render_when_disabled() -> None:
    assert of_kind("CronJob") == {}
    assert not [each for each in objects() if "retraining" in each["metadata"]["name"]]


def test_the_training_takes_the_arguments_that_it_is_given() -> None:
    given = arguments("retraining")
    assert (str(given.config), given.root) == ("/etc/sklearn-kserve/training/training.yaml", "/models")
    assert (given.work, given.prometheus_url) == (None, None)


def test_a_bucket_is_a_root_whose_work_is_on_a_claim() -> None:
    given = arguments("retraining-bucket")
    assert (given.root, str(given.work)) == ("s3://models", "/work")
    assert given.prometheus_url == "http://prometheus-operated.monitoring:9090"
    volumes = {each["name"]: each for each in pod("retraining-bucket")["volumes"]}
    assert volumes["work"]["persistentVolumeClaim"] == {"claimName": "training"}
    assert "/models" not in mounts("retraining-bucket")


def test_without_a_claim_the_work_is_where_may_be_written() -> None:
    values = put(values_of("retraining-bucket"), "retraining.workClaim", "")
    (found,) = of_kind("CronJob", values).values()
    (training,) = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert "--work=/tmp/work" in training["args"]
    assert [each["mountPath"] for each in training["volumeMounts"]] == [TMP, "/etc/sklearn-kserve/training"]


def test_the_notes_say_how_to_start_a_run_by_hand() -> None:
    assert (
        f"create job --from=cronjob/{job()['metadata']['name']} by-hand" in files(values_of("retraining"))["NOTES.txt"]
    )
    assert "cronjob" not in files()["NOTES.txt"]


def test_the_image_has_a_target_that_runs_it() -> None:
    stage = re.search(r"^FROM \S+ AS training\n(.*?)^FROM", (ROOT / "Dockerfile").read_text(), re.DOTALL | re.MULTILINE)
    assert stage
    assert 'ENTRYPOINT ["python", "-m", "training"]' in stage[1]
    assert "COPY --from=trainer /opt/venv /opt/venv" in stage[1]


def test_a_configuration_among_the_values_is_one_that_training_reads(tmp_path: Path) -> None:
    values = values_of("retraining-bucket")
    (found,) = of_kind("ConfigMap", values).values()
    volume = {each["name"]: each for each in pod("retraining-bucket")["volumes"]}["config"]
    assert volume["configMap"]["name"] == found["metadata"]["name"]
    (tmp_path / "training.yaml").write_text(found["data"]["training.yaml"])
    assert yaml.safe_load(found["data"]["training.yaml"]) == values["retraining"]["config"]
    config = load_config(tmp_path / "training.yaml")
    assert config.retrain.min_interval_hours == 24


def test_secrets_are_variables_and_no_files() -> None:
    (training,) = pod("retraining-bucket")["containers"]
    assert training["envFrom"] == [{"secretRef": {"name": "bucket-credentials"}}]


def test_a_role_in_the_cloud_is_the_jobs_own() -> None:
    accounts = of_kind("ServiceAccount", values_of("retraining-bucket"))
    (role,) = accounts[pod("retraining-bucket")["serviceAccountName"]]["metadata"]["annotations"]
    assert role == "eks.amazonaws.com/role-arn"
    assert [name for name, each in accounts.items() if "annotations" in each["metadata"]] == [
        pod("retraining-bucket")["serviceAccountName"]
    ]


def test_it_publishes_where_the_servers_look() -> None:
    volumes = {each["name"]: each for each in pod()["volumes"]}
    assert mounts("retraining")["/models"] == {"name": "models", "mountPath": "/models"}
    assert volumes["models"]["persistentVolumeClaim"] == {"claimName": "models"}
    served = container(values_of("retraining"), "penguins")
    assert {"name": "STORAGE_URI", "value": "pvc://models/penguins"} in served["env"]
    assert "--watch_seconds=30" in served["args"]


def test_data_and_configuration_are_read_alone() -> None:
    assert mounts("retraining")["/etc/sklearn-kserve/training"]["readOnly"] is True
    assert mounts("retraining")["/data"]["readOnly"] is True


@pytest.mark.parametrize("case", BOTH)
def test_nothing_is_written_but_to_volumes(case: str) -> None:
    (training,) = pod(case)["containers"]
    assert training["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"name": "HOME", "value": TMP} in training["env"]
    tmp = {each["name"]: each for each in pod(case)["volumes"]}["tmp"]
    assert tmp == {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}}


def test_the_job_has_an_account_of_its_own_without_a_role_or_a_token() -> None:
    values = values_of("retraining")
    account = of_kind("ServiceAccount", values)[pod()["serviceAccountName"]]
    assert account["automountServiceAccountToken"] is False
    assert "annotations" not in account["metadata"]
    assert [each["kind"] for each in objects(values) if "Role" in each["kind"]] == []


def test_runs_do_not_overlap_and_end() -> None:
    spec = job()["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 3600
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (1, 3)
    assert pod()["restartPolicy"] == "Never"


def test_a_refusal_fails_the_job_at_once_and_a_drained_node_does_not() -> None:
    spec = job()["spec"]["jobTemplate"]["spec"]
    refused, drained = spec["podFailurePolicy"]["rules"]
    assert refused["action"] == "FailJob"
    assert refused["onExitCodes"] == {
        "containerName": pod()["containers"][0]["name"],
        "operator": "In",
        "values": [REFUSED],
    }
    assert (drained["action"], drained["onPodConditions"]) == (
        "Ignore",
        [{"type": "DisruptionTarget", "status": "True"}],
    )


def test_nothing_calls_the_job_and_it_calls_dns_alone() -> None:
    policy = of_kind("NetworkPolicy", values_of("retraining"))["demo-sklearn-kserve-retraining"]["spec"]
    labels = job()["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    assert [{port["port"] for port in rule["ports"]} for rule in policy["egress"]] == [{53}]


def test_a_job_with_a_bucket_calls_it_and_prometheus_besides() -> None:
    rules = of_kind("NetworkPolicy", values_of("retraining-bucket"))["demo-sklearn-kserve-retraining"]["spec"]["egress"]
    _, bucket, prometheus = rules
    assert bucket["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0"}}]
    assert [port["port"] for port in bucket["ports"]] == [443]
    (namespace,) = prometheus["to"]
    assert namespace["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    assert [port["port"] for port in prometheus["ports"]] == [9090]


@pytest.mark.parametrize(
    ("address", "port"),
    [("http://prometheus", 80), ("https://prometheus/path", 443), ("https://prometheus:8443/a:1", 8443)],
)
def test_the_port_is_that_of_the_address(address: str, port: int) -> None:
    values = put(values_of("retraining-bucket"), "retraining.prometheus", address)
    rules = of_kind("NetworkPolicy", values)["demo-sklearn-kserve-retraining"]["spec"]["egress"]
    assert [each["port"] for each in rules[-1]["ports"]] == [port]


def test_no_service_leads_to_the_job() -> None:
    labels = job()["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    for name, policy in of_kind("NetworkPolicy", values_of("retraining")).items():
        selected = policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        assert selected is name.endswith("-retraining")
