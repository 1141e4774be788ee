"""`helm upgrade` touches nothing that a cluster refuses to change, and `helm rollback` gives what was there."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import Chart, HelmError
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from tests.deploy.matrix import DEFAULTS, changed, get
from tests.deploy.rendering import CASES, CHART, SCHEMAS, objects, values_of
from tests.deploy.upgrades import FIXED, RELEASES, fixed, touched

RECORDS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(RELEASES.glob("*.yaml"))}
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
RECORDED = [(version, case) for version, cases in RECORDS.items() for case in cases]

Values = dict[str, Any]


def rendered_by(chart: Path, case: str) -> list[dict[str, Any]]:
    texts = Chart.load(chart).render(values_of(case), name="demo", namespace="ml")
    return [
        found
        for name, text in texts.items()
        if not name.endswith("NOTES.txt")
        for found in yaml.load_all(text, yaml.CSafeLoader)
        if found
    ]


# --- from a release that is out


def test_this_release_has_a_record_for_the_next() -> None:
    assert VERSION in RECORDS, "run `python -m tests.deploy.upgrades`"


@pytest.mark.parametrize(("version", "case"), RECORDED)
def test_a_releases_values_go_on_working_and_fix_the_same(version: str, case: str) -> None:
    then = RECORDS[version][case]
    now = fixed(objects(then["values"]))
    assert then["fixed"]
    # Whatever keeps its identity keeps what it can't change; and no feature loses its objects by an upgrade.
    assert {name: now.get(name) for name in then["fixed"]} == then["fixed"], (
        f"{version} would not upgrade; if it is not tagged yet, `python -m tests.deploy.upgrades` records it anew"
    )


def test_a_new_version_of_the_chart_changes_the_image_alone(tmp_path: Path) -> None:
    newer = tmp_path / "sklearn-kserve"
    shutil.copytree(CHART, newer)
    about = newer / "Chart.yaml"
    text = re.sub(r"(?m)^(version|appVersion): .*$", r"\1: 9.8.7", about.read_text())
    about.write_text(text)
    for case in CASES:
        after = yaml.safe_dump(rendered_by(newer, case))
        assert after.replace("sklearn-kserve:9.8.7", f"sklearn-kserve:{VERSION}") == yaml.safe_dump(
            objects(values_of(case))
        )


# --- from values to others


@st.composite
def upgrades(draw: st.DrawFn) -> tuple[Values, Values]:
    """Draw a feature's values, and the same with some changed."""
    before = values_of(draw(st.sampled_from([*CASES])))
    return before, draw(changed(before, changes=4))


@given(upgrades())
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
def test_other_values_touch_nothing_that_is_fixed(values: tuple[Values, Values]) -> None:
    before, after = values
    # KServe refuses another mode for a model that is there, and says so; the README does as well.
    assume((get(before, "mode") or DEFAULTS["mode"]) == (get(after, "mode") or DEFAULTS["mode"]))
    try:
        new = objects(after)
    except HelmError:
        reject()
    assert touched(objects(before), new) == {}


def test_another_mode_is_found_to_be_refused() -> None:
    model = {"models": [{"name": "iris", "storageUri": "s3://models/iris"}]}
    found = touched(objects(model), objects({**model, "mode": "Knative"}))
    assert list(found) == ["serving.kserve.io/v1beta1/InferenceService/ml/iris"]


@pytest.mark.parametrize("case", CASES)
def test_what_every_kind_fixes_is_known(case: str) -> None:
    rendered = objects(values_of(case))
    assert {each["kind"] for each in rendered} <= set(FIXED)
    for each in rendered:
        if each["kind"] == "Pod":
            assert "before-hook-creation" in each["metadata"]["annotations"]["helm.sh/hook-delete-policy"]


def test_no_rule_of_a_custom_resource_asks_what_was() -> None:
    assert [path.name for path in SCHEMAS.glob("*.json") if "oldSelf" in path.read_text()] == []


# --- back


@pytest.mark.parametrize("case", CASES)
def test_rendering_twice_gives_the_same(case: str) -> None:
    assert rendered_by(CHART, case) == objects(values_of(case))


IMPURE = {
    *(
        "now",
        "ago",
        "date",
        "htmlDate",
        "unixEpoch",
        "lookup",
        "getHostByName",
        "env",
        "expandenv",
        "uuidv4",
        "shuffle",
    ),
    *("randAlpha", "randAlphaNum", "randAscii", "randBytes", "randInt", "randNumeric", "bcrypt", "htpasswd"),
    *("genCA", "genPrivateKey", "genSelfSignedCert", "genSignedCert", "derivePassword", "encryptAES"),
}
"""Template functions whose answer is another each time, or that of the cluster."""
HISTORY = r"\.Release\.(?:Revision|IsUpgrade|IsInstall|Time)|\.Capabilities"


def test_templates_ask_neither_chance_nor_clock_nor_cluster_nor_history() -> None:
    for path in (CHART / "templates").rglob("*"):
        actions = re.findall(r"\{\{.*?\}\}", path.read_text(), re.DOTALL) if path.is_file() else []
        code = [re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`|/\*.*?\*/', "", action, flags=re.DOTALL) for action in actions]
        for action in code:
            assert IMPURE.isdisjoint(re.findall(r"(?<![.$\w])[A-Za-z]\w*", action)), f"{path.name}: {action}"
            assert not re.search(HISTORY, action), f"{path.name}: {action}"
