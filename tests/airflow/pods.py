"""
What Airflow makes of a folder of DAGs, as JSON: what it can't import, and the pods that it would start.

    var/airflow/bin/python tests/airflow/pods.py FOLDER
"""

import json
import os
import sys
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import ApiClient


class Variables:
    """Airflow's variables, as its environment has them."""

    def __getattr__(self, name: str) -> str:
        return os.environ[f"AIRFLOW_VAR_{name.upper()}"]


def pod(task: Any) -> Any:
    """Return the pod that a task starts."""
    task.render_template_fields({"var": {"value": Variables()}})
    return ApiClient().sanitize_for_serialization(task.build_pod_request_obj())


if __name__ == "__main__":
    bag = DagBag(sys.argv[1])
    tasks = {name: dag.tasks for name, dag in bag.dags.items()}
    said = {
        "errors": bag.import_errors,
        "order": {name: [task.task_id for task in dag.topological_sort()] for name, dag in bag.dags.items()},
        "pods": [pod(task) for dag in tasks.values() for task in dag if isinstance(task, KubernetesPodOperator)],
    }
    print(json.dumps(said))
