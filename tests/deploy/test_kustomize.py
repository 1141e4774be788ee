"""Kustomize's objects are Helm's: in every environment, and for every choice of components."""

import os
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm.manifests import CONCERNS, KUSTOMIZE, values_of
from tests.deploy.kustomizing import built, environment, installed, refused

ENVIRONMENTS = ("dev", "staging", "production")
COMPONENTS = [
    str(path.parent.relative_to(KUSTOMIZE / "components"))
    for path in (KUSTOMIZE / "components").rglob("kustomization.yaml")
]
CHOICES = [each for count in range(len(CONCERNS) + 1) for each in combinations(CONCERNS, count)]


def kustomization(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((path / "kustomization.yaml").read_text())
    return found


IN_ORDER = [
    str(Path(each).relative_to("../../components"))
    for each in kustomization(KUSTOMIZE / "overlays/production")["components"]
]


@pytest.fixture
def overlay(tmp_path: Path) -> Any:
    """Build an overlay that stands outside of the repository, and leads into it."""

    def build(content: dict[str, Any]) -> Any:
        (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return built(tmp_path)

    return build


def test_production_uses_every_component() -> None:
    assert sorted(IN_ORDER) == sorted(COMPONENTS)
    assert set(CONCERNS) <= set(COMPONENTS)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_the_same_by_kustomize_and_by_helm(name: str) -> None:
    found = built(KUSTOMIZE / "overlays" / name)
    assert found == installed(environment(name))
    assert refused(found) == {}


@pytest.mark.parametrize("concerns", CHOICES, ids=lambda each: "+".join(each) or "base")
def test_a_choice_of_components_is_the_same_by_kustomize_and_by_helm(
    concerns: tuple[str, ...], tmp_path: Path, overlay: Any
) -> None:
    there = os.path.relpath(KUSTOMIZE, tmp_path)
    chosen = [f"{there}/components/{each}" for each in IN_ORDER if set(each.split("/")) <= set(concerns)]
    assert overlay({"resources": [f"{there}/base"], "components": chosen}) == installed(values_of(frozenset(concerns)))
