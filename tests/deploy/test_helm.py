"""
The chart in the hands of Helm 3 and Helm 4, the programs; the other tests render it by a library.

`make test-system` builds both from tools/helm3 and tools/helm4, unless it finds them built.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.rendering import CASES, CHART, KUBERNETES, ROOT, objects, values_of
from tests.tools import built

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

HELMS: Final = sorted(path.parent.name for path in (ROOT / "tools").glob("helm*/go.mod"))
Object = dict[str, Any]


class Helm:
    """One of the two programs, with a home of its own."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self.program = built(name) / "helm"
        self.home = home

    def __call__(self, *arguments: str | Path) -> str:
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            env={"HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def template(self, chart: Path, case: str, *options: str) -> list[Object]:
        # Only a release of Helm 3 knows a current Kubernetes by itself; built from source it takes a 1.20 for granted.
        named = ("--namespace", "ml", "--kube-version", KUBERNETES)
        text = self("template", "demo", chart, "--values", CASES[case], *named, *options)
        return [found for found in yaml.load_all(text, yaml.CSafeLoader) if found]


@pytest.fixture(scope="module", params=HELMS)
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def package(helm: Helm) -> Iterator[Path]:
    helm("package", CHART, "--destination", helm.home)
    (found,) = helm.home.glob("*.tgz")
    yield found
    found.unlink()


def by_name(rendered: list[Object]) -> dict[tuple[str, str], Object]:
    return {(each["kind"], each["metadata"]["name"]): each for each in rendered}


def test_both_are_what_their_names_say(helm: Helm) -> None:
    assert helm("version", "--short").startswith(f"v{helm.name.removeprefix('helm')}.")


@pytest.mark.parametrize("case", CASES)
def test_helm_renders_what_the_library_renders(helm: Helm, case: str) -> None:
    assert by_name(helm.template(CHART, case)) == by_name(objects(values_of(case)))


@pytest.mark.parametrize("case", ["default", "canary"])
def test_an_upgrade_and_a_rollback_render_what_an_installation_does(helm: Helm, case: str) -> None:
    installed = helm.template(CHART, case)
    assert installed == helm.template(CHART, case, "--is-upgrade")


@pytest.mark.parametrize("case", ["default", "monitoring", "auth"])
def test_a_package_holds_all_that_rendering_needs(helm: Helm, package: Path, case: str) -> None:
    assert by_name(helm.template(package, case)) == by_name(objects(values_of(case)))


@pytest.mark.parametrize("case", CASES)
def test_lint_is_clean(helm: Helm, case: str) -> None:
    said = helm("lint", CHART, "--strict", "--namespace", "ml", "--values", CASES[case])
    assert "1 chart(s) linted, 0 chart(s) failed" in said
    assert "[WARNING]" not in said


def test_a_refusal_is_the_last_word(helm: Helm) -> None:
    with pytest.raises(AssertionError, match=r"route\.enabled is for mode Standard; .*: turn route\.enabled off\."):
        helm("template", "demo", CHART, "--kube-version", KUBERNETES, "--set", "mode=Knative,route.enabled=true")
