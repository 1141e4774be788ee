"""
Retrain a model where that is due: the commands of sklearn-kserve-train, a task each.

`decide` takes a snapshot of the source and says whether, and why, the model is to be trained anew. Where there is nothing to
do it is skipped, and so is what follows. Any task may be tried again: a step that was done is not done again.

Variables of Airflow, or `AIRFLOW_VAR_<NAME>` in its environment:

- `SKLEARN_KSERVE_TRAIN`: the command, in the environment that it is installed in, which is not Airflow's
- `SKLEARN_KSERVE_CONFIG`, `SKLEARN_KSERVE_ROOT`, `SKLEARN_KSERVE_WORK`: what it is given; every worker has to see them

Copy this file into the folder of DAGs.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

NOTHING_TO_DO = 99

# By the shell's variables, so that nothing in a path is taken for a command.
ENVIRONMENT = {
    "TRAIN": "{{ var.value.sklearn_kserve_train }}",
    "CONFIG": "{{ var.value.sklearn_kserve_config }}",
    "ROOT": "{{ var.value.sklearn_kserve_root }}",
    "WORK": "{{ var.value.sklearn_kserve_work }}",
}


def task(name: str, command: str) -> BashOperator:
    """Return a task that runs one command."""
    return BashOperator(
        task_id=name,
        bash_command=f'exec "$TRAIN" {command} --config "$CONFIG" --root "$ROOT" --work "$WORK"',
        env=ENVIRONMENT,
        append_env=True,
        skip_on_exit_code=NOTHING_TO_DO,
    )


with DAG(
    dag_id="sklearn_kserve_retrain",
    description="Train a model anew where that is due",
    schedule="0 3 * * 1",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=1)},
    tags=["sklearn-kserve"],
    doc_md=__doc__,
):
    chain(
        task("decide", f"retrain --dry-run --idle_code {NOTHING_TO_DO}"),
        *(task(step, step) for step in ("validate", "fit", "evaluate", "publish", "promote")),
    )
