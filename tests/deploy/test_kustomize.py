"""Kustomize's objects are Helm's: in every environment, and for every choice of components."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

import model
from helm.manifests import CONCERNS, KUSTOMIZE, MANIFESTS, ROOT, Name, merged, values_of
from tests.deploy.kustomizing import Unbuildable, built, environment, installed, refused
from tests.deploy.rendering import Object

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


class Overlay:
    """An overlay that stands outside of the repository, and leads into it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def built(self, content: dict[str, Any]) -> dict[Name, Object]:
        (self.directory / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return built(self.directory)

    def base_with(self, components: Iterable[str]) -> dict[Name, Object]:
        there = os.path.relpath(KUSTOMIZE, self.directory)
        listed = [f"{there}/components/{each}" for each in components]
        return self.built({"resources": [f"{there}/base"], "components": listed})


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    return Overlay(tmp_path)


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
    concerns: tuple[str, ...], overlay: Overlay
) -> None:
    chosen = [each for each in IN_ORDER if set(each.split("/")) <= set(concerns)]
    assert overlay.base_with(chosen) == installed(values_of(frozenset(concerns)))


# --- what an overlay could get wrong


def test_another_order_fails_or_makes_the_same(overlay: Overlay) -> None:
    for first, second in combinations(IN_ORDER, 2):
        with suppress(Unbuildable):
            assert overlay.base_with([second, first]) == overlay.base_with([first, second])


@pytest.mark.parametrize(
    ("components", "sentence"),
    [
        (["istio-auth", "network-policy"], "network-policy has to stand before istio-auth"),
        (["canary", "monitoring"], "monitoring has to stand before canary"),
        (["istio-auth", "monitoring"], "monitoring has to stand before istio-auth"),
        (["hpa", "canary"], "canary has to stand before hpa"),
        (["hpa/canary", "canary"], "canary has to stand before hpa"),
        (["retraining", "canary"], "canary has to stand before retraining"),
        (["istio-auth", "canary"], "canary has to stand before istio-auth"),
        (["istio-auth/canary", "canary"], "canary has to stand before istio-auth"),
        (["istio-auth", "retraining"], "retraining has to stand before istio-auth"),
        (["canary", "hpa"], "serving.kserve.io~1autoscalerClass failed"),
        (["canary", "istio-auth"], "sidecar.istio.io~1inject failed"),
    ],
)
def test_what_would_be_missed_fails(components: list[str], sentence: str, overlay: Overlay) -> None:
    with pytest.raises(Unbuildable, match=sentence):
        overlay.base_with(components)


# --- patches


def operations(file: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield a kustomization without one of its patches' operations, and which; a `test` changes nothing."""
    whole = kustomization(file)
    for number, patch in enumerate(whole.get("patches", [])):
        lines = yaml.safe_load(patch["patch"])
        for line in lines:
            if line["op"] != "test":
                less = {**patch, "patch": yaml.safe_dump([each for each in lines if each is not line])}
                patches = [*whole["patches"][:number], less, *whole["patches"][number + 1 :]]
                yield {**whole, "patches": patches}, f"{patch['target']} {line['path']}"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        *((f"overlays/{name}", name) for name in ENVIRONMENTS),
        *((f"components/{each}", "production") for each in COMPONENTS),
    ],
)
def test_every_patch_finds_what_it_changes(changed: str, name: str, tmp_path: Path) -> None:
    """Kustomize passes over a patch whose target is not there."""
    for tree in (KUSTOMIZE, MANIFESTS):
        shutil.copytree(tree, tmp_path / tree.name)
    wanted = built(tmp_path / "kustomize" / "overlays" / name)
    idle = []
    for content, which in operations(KUSTOMIZE / changed):
        (tmp_path / "kustomize" / changed / "kustomization.yaml").write_text(yaml.safe_dump(content))
        with suppress(Unbuildable):
            if built(tmp_path / "kustomize" / "overlays" / name) == wanted:
                idle.append(which)
    assert idle == []


# --- the README


README = (KUSTOMIZE / "README.md").read_text()
BLOCKS = [yaml.safe_load(each) for each in re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]
OURS, WEIGHT, ARTIFACT, ELSEWHERE = BLOCKS
ACME = {
    "image": {"repository": "registry.acme.test/sklearn-kserve", "tag": "0.1.0-acme"},
    "route": {"domain": "acme.test"},
    "auth": {"issuer": "https://login.acme.test", "audiences": ["acme"]},
    "retraining": {"image": "registry.acme.test/trainer:7"},
}


def local(content: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Return a kustomization with the release's directories replaced by those here."""
    here = os.path.relpath(ROOT, directory)
    remote = re.compile(
        r"https://github\.com/sklearn-kserve/sklearn-kserve//([\w/-]+)\?ref=v" + re.escape(model.__version__)
    )
    lists = {name: content[name] for name in ("resources", "components") if name in content}
    assert all(remote.fullmatch(each) for each in chain(*lists.values()))
    return {**content, **{name: [remote.sub(rf"{here}/\1", each) for each in lists[name]] for name in lists}}


def test_an_overlay_of_ones_own_says_image_host_and_issuer(tmp_path: Path, overlay: Overlay) -> None:
    assert overlay.built(local(OURS, tmp_path)) == installed(merged(environment("production"), ACME))


@pytest.mark.parametrize(
    ("patches", "values"),
    [
        (WEIGHT, {"canary": {"weight": 20}}),
        (
            ARTIFACT,
            {"canary": {"storageUri": "s3://models/penguins/8"}, "networkPolicy": {"storageCidrs": ["10.9.0.0/16"]}},
        ),
    ],
    ids=["weight", "artifact"],
)
def test_the_canarys_share_and_artifact_are_one_more_patch(
    patches: list[Any], values: dict[str, Any], tmp_path: Path, overlay: Overlay
) -> None:
    content = local(OURS, tmp_path)
    found = overlay.built({**content, "patches": content["patches"] + patches})
    assert found == installed(merged(environment("production"), ACME, values))


def test_another_namespace_is_a_line_where_nothing_else_names_it(tmp_path: Path, overlay: Overlay) -> None:
    values = merged(values_of(frozenset({"network-policy", "canary", "hpa"})), {"route": {"domain": "acme.test"}})
    assert overlay.built(local(ELSEWHERE, tmp_path)) == installed(values, namespace="fraud")


def test_the_readmes_commands_name_what_is_there() -> None:
    named = re.findall(r"(?:-k|-f|--values) ([\w./-]*\w)", README)
    assert {"kustomize/overlays/production", "manifests/install.yaml", "manifests/hpa"} <= set(named)
    for each in named:
        assert (ROOT / each).is_file() or (ROOT / each / "kustomization.yaml").is_file()


def test_the_readme_lists_the_components_in_their_order() -> None:
    assert (
        re.findall(r"^\| `([\w/-]+)` \| [^|]+ \| [^|]*\|$", README.split("## Components")[1], re.MULTILINE) == IN_ORDER
    )
