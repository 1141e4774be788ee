"""
The same in pods: each command of sklearn-kserve-train runs in the image that trains, as the chart's CronJob runs it.

Variables of Airflow, or `AIRFLOW_VAR_<NAME>` in its environment:

- `SKLEARN_KSERVE_IMAGE`: the Dockerfile's target `training`
- `SKLEARN_KSERVE_NAMESPACE`: where the pods run, with the claim and the ConfigMap below
- `SKLEARN_KSERVE_CLAIM`: volume claim with the models' root, on which steps leave their files, too
- `SKLEARN_KSERVE_CONFIGMAP`: ConfigMap whose `training.yaml` is the configuration

Airflow's service account needs to create, watch and delete pods there, and to read their logs. Copy this file into the folder
of DAGs.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG, chain
from kubernetes.client import models as k8s

NOTHING_TO_DO = 99
USER = 10001


def task(name: str, *command: str) -> KubernetesPodOperator:
    """Return a task that runs one command in a pod that fits Pod Security `restricted`."""
    return KubernetesPodOperator(
        task_id=name,
        name=f"sklearn-kserve-{name}",
        namespace="{{ var.value.sklearn_kserve_namespace }}",
        image="{{ var.value.sklearn_kserve_image }}",
        arguments=[*command, "--config=/etc/sklearn-kserve/training/training.yaml", "--root=/models"],
        labels={"app.kubernetes.io/name": "sklearn-kserve", "app.kubernetes.io/component": "retraining"},
        env_vars={"HOME": "/tmp"},  # noqa: S108 -- a volume of the pod's
        volumes=[
            k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="2Gi")),
            k8s.V1Volume(
                name="models",
                persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(
                    claim_name="{{ var.value.sklearn_kserve_claim }}"
                ),
            ),
            k8s.V1Volume(
                name="config", config_map=k8s.V1ConfigMapVolumeSource(name="{{ var.value.sklearn_kserve_configmap }}")
            ),
        ],
        volume_mounts=[
            k8s.V1VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108 -- see above
            k8s.V1VolumeMount(name="models", mount_path="/models"),
            k8s.V1VolumeMount(name="config", mount_path="/etc/sklearn-kserve/training", read_only=True),
        ],
        container_resources=k8s.V1ResourceRequirements(
            requests={"cpu": "1", "memory": "1Gi", "ephemeral-storage": "128Mi"},
            limits={"cpu": "2", "memory": "4Gi", "ephemeral-storage": "3Gi"},
        ),
        security_context=k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=USER,
            run_as_group=USER,
            fs_group=USER,
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        container_security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
            read_only_root_filesystem=True,
        ),
        automount_service_account_token=False,
        skip_on_exit_code=NOTHING_TO_DO,
        startup_timeout_seconds=600,
    )


with DAG(
    dag_id="sklearn_kserve_retrain_pods",
    description="Train a model anew where that is due, in pods",
    schedule="0 3 * * 1",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=1)},
    tags=["sklearn-kserve"],
    doc_md=__doc__,
):
    chain(
        task("decide", "retrain", "--dry-run", f"--idle_code={NOTHING_TO_DO}"),
        *(task(step, step) for step in ("validate", "fit", "evaluate", "publish", "promote")),
    )
