"""manifests/ is what the chart gives, each object once and whole."""

from collections import Counter

import pytest
import yaml

from helm.manifests import CONCERNS, HEADER, MANIFESTS, PARTS, Name, manifests, part, rendered, values_of
from tests.deploy.kustomizing import built, by_name, installed, refused

EVERY = frozenset(CONCERNS)


def test_the_files_are_those_that_the_chart_gives() -> None:
    """A failure here is mended by `make manifests`."""
    there = {str(path.relative_to(MANIFESTS)): path.read_text() for path in MANIFESTS.rglob("*") if path.is_file()}
    assert there == manifests()


def test_every_file_says_that_it_is_not_to_be_edited() -> None:
    assert all(text.startswith(HEADER) for text in manifests().values())


@pytest.mark.parametrize(
    "concerns", [frozenset(), *({each} for each in CONCERNS), EVERY], ids=lambda each: "+".join(sorted(each)) or "base"
)
def test_every_object_is_as_helm_installs_it(concerns: frozenset[str]) -> None:
    texts = rendered(frozenset(concerns))
    assert {name: yaml.safe_load(text) for name, text in texts.items()} == installed(values_of(frozenset(concerns)))


def test_each_object_is_in_one_directory() -> None:
    places = Counter(name for path in PARTS for name in part(path))
    assert set(places) == set(rendered(EVERY))
    assert set(places.values()) == {1}


@pytest.mark.parametrize("path", PARTS)
def test_a_directory_can_be_applied(path: str) -> None:
    found = built(MANIFESTS / path)
    assert found == {name: yaml.safe_load(text) for name, text in part(path).items()}
    assert refused(found) == {}


def test_one_file_has_it_all_with_what_a_pod_needs_before_the_pod() -> None:
    found = by_name(list(yaml.load_all((MANIFESTS / "install.yaml").read_text(), yaml.CSafeLoader)))
    assert found == installed(values_of(EVERY))
    assert [name.kind for name in found][-2:] == ["InferenceService", "InferenceService"]
    assert refused(found) == {}


def test_another_namespace_is_in_hosts_names_and_queries_too() -> None:
    text = manifests("fraud")["install.yaml"]
    assert "models/penguins-sklearn-kserve" not in text
    assert "penguins-models" not in text
    assert Name("AuthorizationPolicy", "penguins-sklearn-kserve-fraud-allow") in rendered(EVERY, "fraud")
