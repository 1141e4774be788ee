"""Training on a schedule, by a job that the cluster trusts with nothing."""

import re
from typing import Any

from tests.deploy.rendering import ROOT, container, objects, of_kind, values_of
from training.cli import _parser


def job() -> dict[str, Any]:
    (found,) = of_kind("CronJob", values_of("retraining")).values()
    return found


def pod() -> dict[str, Any]:
    found: dict[str, Any] = job()["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def test_should_not_render_when_disabled() -> None:
    assert of_kind("CronJob") == {}
    assert not [each for each in objects() if "retraining" in each["metadata"]["name"]]


def test_the_training_takes_the_arguments_that_it_is_given() -> None:
    (training,) = pod()["containers"]
    *command, run = training["command"]
    assert command == ["/opt/venv/bin/python", "-m", "training"]
    arguments = _parser().parse_args([run, *training["args"]])
    assert (str(arguments.config), str(arguments.root)) == ("/etc/sklearn-kserve/training/training.yaml", "/models")


def test_the_images_stage_that_trains_has_what_the_job_runs() -> None:
    stage = re.search(
        r"^FROM builder AS trainer\n(.*?)^FROM", (ROOT / "Dockerfile").read_text(), re.DOTALL | re.MULTILINE
    )
    assert stage
    assert "/opt/venv/bin/python -m training run" in stage[1]


def test_it_publishes_where_the_servers_look() -> None:
    mounts = {each["name"]: each for each in pod()["containers"][0]["volumeMounts"]}
    volumes = {each["name"]: each for each in pod()["volumes"]}
    assert mounts["models"] == {"name": "models", "mountPath": "/models"}
    assert volumes["models"]["persistentVolumeClaim"] == {"claimName": "models"}
    served = container(values_of("retraining"), "penguins")
    assert {"name": "STORAGE_URI", "value": "pvc://models/penguins"} in served["env"]
    assert "--watch_seconds=30" in served["args"]


def test_data_and_configuration_are_read_alone() -> None:
    mounts = {each["name"]: each for each in pod()["containers"][0]["volumeMounts"]}
    assert mounts["config"]["readOnly"] is mounts["data"]["readOnly"] is True


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
    assert pod()["restartPolicy"] == "Never"


def test_nothing_calls_the_job_and_it_calls_dns_alone() -> None:
    policy = of_kind("NetworkPolicy", values_of("retraining"))["demo-sklearn-kserve-retraining"]["spec"]
    labels = job()["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    assert [{port["port"] for port in rule["ports"]} for rule in policy["egress"]] == [{53}]


def test_no_service_leads_to_the_job() -> None:
    labels = job()["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    for name, policy in of_kind("NetworkPolicy", values_of("retraining")).items():
        selected = policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        assert selected is name.endswith("-retraining")
