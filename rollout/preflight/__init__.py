"""
What an install would need, and the cluster lacks: said before the install.

Each check reads the objects that would be created, not the values that led to them, so that it can't disagree with the
chart, and holds for what Kustomize renders as well. Nothing is written; what the API server would say to an object it is
asked in a dry run.
"""

from typing import Final

from rollout.preflight.api import admission, kinds, permissions, rendered_for, version
from rollout.preflight.gateway import gateways
from rollout.preflight.kserve import kserve
from rollout.preflight.mesh import mesh
from rollout.preflight.monitoring import monitoring
from rollout.preflight.namespace import namespace
from rollout.preflight.references import references
from rollout.preflight.report import Check, Finding, Install, Report, Status, guarded
from rollout.preflight.scaling import scaling

__all__ = ["CHECKS", "Finding", "Install", "Report", "Status", "rendered_for", "run"]

CHECKS: Final[dict[str, Check]] = {
    "kinds": kinds,
    "kserve": kserve,
    "gateway": gateways,
    "mesh": mesh,
    "scaling": scaling,
    "monitoring": monitoring,
    "namespace": namespace,
    "references": references,
    "permissions": permissions,
    "admission": admission,
}
"""What is checked, by the name under which it reports."""


def run(install: Install) -> Report:
    """
    Check a cluster.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Returns
    -------
    Report
        What was found.

    Raises
    ------
    ClusterError
        The cluster does not answer, or not to this caller.
    """
    findings = [_named("cluster", each) for each in version(install)]
    for name, check in CHECKS.items():
        findings += [_named(name, each) for each in guarded(check(install), name)]
    return Report(install.cluster.address, install.release.namespace, tuple(findings))


def _named(check: str, finding: Finding) -> Finding:
    return Finding(finding.status, finding.message, check)
