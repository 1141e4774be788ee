"""The benchmarks' arithmetic, tables and rules for voiding a run; servers are not started here."""

import re
import struct
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import orjson
import pandas as pd
import pytest

from benchmarks import chart, cli, models, rounds, training
from benchmarks.candidates import Candidate, candidates
from benchmarks.comparison import Line, lines
from benchmarks.errors import Void
from benchmarks.load import Figures, h2load_seconds, wrk_summary
from benchmarks.report import markdown, sweep_table, table, training_table
from benchmarks.results import Machine, Measurement, Run, Start, slug
from benchmarks.servers import free_ports
from benchmarks.stages import least_disturbed
from benchmarks.stats import Summary, ratio
from benchmarks.sweeps import Point, Sweep
from benchmarks.verdicts import verdicts
from benchmarks.wire import framed, instances, v2
from benchmarks.workloads import CEILING, OURS, PLAIN, WORKLOADS
from model.grpc import open_inference_pb2 as pb

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "benchmarks" / "peers").glob("*/requirements.txt"))
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))

H2LOAD = """\
finished in 696.65ms, 1148.35 req/s, 178.71KB/s
requests: 800 total, 800 started, 800 done, 800 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 800 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 124.50KB (127484) total, 2.42KB (2475) headers (space savings 96.18%), 85.16KB (87200) data
"""
WRK = """\
Running 2s test @ http://127.0.0.1:7100/v2/models/logistic/infer

RESULT {"requests":878,"microseconds":2006656,"p50":36377,"p99":52439,"errors":{"status":%d,"read":0}}
"""
MACHINE = Machine(
    cpu="AMD EPYC (TM) 9005/x", cores=2, memory_gib=23, system="Linux 6", python="3.11.7", load_before=0, load_after=1
)


def measured(*rates: float, p99_ms: float = 2, cpu_us: float = 100) -> list[Measurement]:
    return [Measurement(requests_per_second=rate, p50_ms=1, p99_ms=p99_ms, cpu_us=cpu_us) for rate in rates]


@pytest.fixture
def run() -> Run:
    return Run(
        date=date(2026, 1, 2),
        quick=False,
        seconds=5,
        concurrency=16,
        machine=MACHINE,
        versions={OURS: {"numpy": "2.4"}},
        starts={
            OURS: [Start(cold_start_seconds=1.0, rss_mib=250)],
            "kserve": [Start(cold_start_seconds=2.0, rss_mib=200)],
        },
        workloads={
            "rest-1-logistic": {
                OURS: measured(9_000, 10_000, 12_000, p99_ms=3, cpu_us=50),
                "kserve": measured(800, 900, 1_000, cpu_us=900),
                "mlserver": measured(1_000, 1_000, 1_000, p99_ms=40, cpu_us=950),
                CEILING: measured(20_000, 20_000, 20_000, cpu_us=25),
            },
            "rest-1-forest": {OURS: measured(200), PLAIN: measured(600), "kserve": measured(100)},
            "rest-64-forest": {OURS: measured(100)},
        },
    )


def line(run: Run, workload: str, server: str) -> Line:
    (found,) = [found for found in lines(run) if (found.workload.name, found.server) == (workload, server)]
    return found


# --- figures


def test_noise_is_half_the_distance_of_the_extremes() -> None:
    assert Summary.of([90, 100, 130]).noise == pytest.approx(0.2)


def test_a_ratio_is_of_medians_and_ranges_over_the_rounds() -> None:
    assert ratio([9, 10, 12], [1, 2, 1]) == Summary(10, 5, 12)


def test_ratios_are_against_the_stock_server_that_answers_more(run: Run) -> None:
    against = line(run, "rest-1-logistic", OURS).against_stock
    assert against == Summary(10, 9, 12)


def test_cpu_time_is_set_against_the_thriftier_stock_server(run: Run) -> None:
    assert line(run, "rest-1-logistic", OURS).cpu_against_stock == 18


def test_the_echo_is_no_share_of_itself(run: Run) -> None:
    assert line(run, "rest-1-logistic", CEILING).of_echo is None
    share = line(run, "rest-1-logistic", OURS).of_echo
    assert share is not None
    assert share.median == 0.5


def test_without_a_stock_server_there_is_no_ratio(run: Run) -> None:
    alone = line(run, "rest-64-forest", OURS)
    assert (alone.against_stock, alone.cpu_against_stock, alone.of_echo) == (None, None, None)


def test_a_load_becomes_figures_per_second_and_per_request() -> None:
    figures = Figures(requests=1_000, seconds=2.0, p50_ms=1.0, p99_ms=3.0, sent=1_500)
    assert rounds.measurement(figures, cpu_seconds=0.3) == Measurement(
        requests_per_second=500, p50_ms=1, p99_ms=3, cpu_us=200
    )


def test_stages_are_told_by_their_least_disturbed_runs() -> None:
    assert least_disturbed([10] * 50 + [1_000] * 50) == 10


# --- verdicts


def test_each_target_is_judged_by_its_own_figure(run: Run) -> None:
    said = verdicts(run)
    assert [sentence.rsplit(": ", 1)[1] for sentence in said] == [
        "met",  # ten times the better stock server
        "met",  # half of the echo
        "met",  # p99 of 3 ms against 40 ms
        "**not met**",  # twice instead of 75 times
        "met",  # six times with no engine
        "met",  # cold start
        "**not met**",  # RSS
    ]


def test_every_workload_has_a_target() -> None:
    assert [workload.name for workload in WORKLOADS if workload.target <= 1] == []
    assert len({workload.name for workload in WORKLOADS}) == len(WORKLOADS)


def test_peers_have_no_targets() -> None:
    assert WORKLOADS[0].target_of("kserve") == 0


# --- tables and charts


def test_the_table_has_a_line_per_server_and_workload(run: Run) -> None:
    head, *rest = table(run).split("\n\n")
    assert "load average 0 before, 1 after" in head
    rows = rest[0].splitlines()
    assert len(rows) == 2 + 4 + 3 + 1
    cells = [cell.strip() for cell in rows[2].strip("|").split("|")]
    assert cells[1:6] == ["**sklearn-kserve**", "10.0 (9.0–12.0)", "18.00", "10,000", "±15%"]  # noqa: RUF001


def test_a_markdown_table_has_as_many_cells_in_every_row() -> None:
    assert markdown(["work", "n"], [["a", "1"]]).splitlines() == ["| work | n |", "| :-- | --: |", "| a | 1 |"]


def test_a_sweep_has_a_row_per_point() -> None:
    point = Point(value=10_000, model="forest", measurement=measured(12)[0], cold_start_seconds=1, rss_mib=200)
    sweep = Sweep(name="rows", date=date(2026, 1, 2), machine=MACHINE, points=[point])
    assert sweep_table(sweep).splitlines()[2] == "| forest | 10,000 | 12 | 1.00 | 2.00 | 100 | 1.00 | 200 |"


def test_the_chart_is_xml_with_a_bar_per_comparison(run: Run) -> None:
    drawn = ET.fromstring(chart.svg(run))  # noqa: S314 -- our own
    boxes = drawn.findall(".//{*}g/{*}rect")
    assert len(boxes) == len(chart.bars(run)) == 7
    widths = {bar.ratio: float(box.attrib["width"]) for bar, box in zip(chart.bars(run), boxes, strict=True)}
    assert sorted(widths, key=lambda value: widths[value]) == sorted(widths)


def test_a_run_survives_being_kept(run: Run, tmp_path: Path) -> None:
    file = run.write(tmp_path)
    assert file.name == "2026-01-02-amd-epyc-tm-9005-2-cores.json"
    assert Run.read(file) == run


def test_a_look_is_not_kept_as_a_run(run: Run, tmp_path: Path) -> None:
    run.quick = True
    assert run.write(tmp_path).name == f"2026-01-02-{slug(MACHINE)}-quick.json"


def test_results_replace_what_stood_between_the_marks() -> None:
    document = "a\n<!-- results -->\nold\n<!-- end of results -->\nb\n"
    assert cli.with_results(document, "new\n", "results") == "a\n<!-- results -->\nnew\n<!-- end of results -->\nb\n"


# --- what voids a run


def test_wrks_summary_is_read() -> None:
    summary = wrk_summary(WRK % 0)
    assert (summary["requests"], summary["p99"]) == (878, 52439)


@pytest.mark.parametrize("output", [WRK % 1, "", WRK.replace("878", "0") % 0])
def test_an_error_under_wrk_voids_the_run(output: str) -> None:
    with pytest.raises(Void):
        wrk_summary(output)


@pytest.mark.parametrize(("shown", "seconds"), [("696.65ms", 0.69665), ("1.50s", 1.5), ("90us", 9e-5)])
def test_h2loads_time_is_read(shown: str, seconds: float) -> None:
    assert h2load_seconds(H2LOAD.replace("696.65ms", shown), 800, 109) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "output",
    [
        H2LOAD.replace("800 succeeded", "799 succeeded"),
        H2LOAD.replace("(87200)", "(87091)"),  # a gRPC error: status 200, but no message
        "",
    ],
)
def test_an_error_under_h2load_voids_the_run(output: str) -> None:
    with pytest.raises(Void):
        h2load_seconds(output, 800, 109)


def test_a_wrong_label_voids_the_run() -> None:
    workload = WORKLOADS[0]
    right = models.expected(workload.model, models.sample(1))
    rounds.check("kserve", workload, 1, right)
    with pytest.raises(Void, match="kserve answered rest-1-logistic"):
        rounds.check("kserve", workload, 1, [1 - right[0]])


def test_the_probe_has_rows_of_both_classes() -> None:
    assert set(models.expected("forest", models.sample(models.PROBE_ROWS))) == {0, 1}


# --- requests


def test_rest_requests_hold_the_rows_in_row_major_order() -> None:
    X = np.arange(6.0).reshape(2, 3)
    (tensor,) = orjson.loads(v2("rest", "m", X).body)["inputs"]
    assert (tensor["shape"], tensor["data"]) == ([2, 3], [0, 1, 2, 3, 4, 5])


def test_grpc_requests_hold_the_rows_raw() -> None:
    X = np.arange(6.0).reshape(2, 3)
    message = pb.ModelInferRequest.FromString(v2("grpc", "m", X).body)
    assert message.model_name == "m"
    assert np.frombuffer(message.raw_input_contents[0]).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_grpc_frame_tells_the_length_of_its_message() -> None:
    assert framed(b"abc") == struct.pack(">BI", 0, 3) + b"abc"


def test_labels_are_found_in_each_kind_of_answer() -> None:
    X = np.zeros((1, 2))
    message = pb.ModelInferResponse(raw_output_contents=[np.array([1, 0]).tobytes()]).SerializeToString()
    assert v2("grpc", "m", X).labels(message) == [1, 0]
    assert v2("rest", "m", X).labels(b'{"outputs":[{"data":[1,0]}]}') == [1, 0]
    assert instances("/p", X, lambda answer: list(answer["predictions"])).labels(b'{"predictions":[1,0]}') == [1, 0]


def test_free_ports_are_distinct() -> None:
    assert len(set(free_ports().values())) == 3


# --- servers


def every(tmp_path: Path) -> dict[str, Candidate]:
    return candidates(tmp_path)


def test_every_peer_has_a_lock_and_a_script(tmp_path: Path) -> None:
    peers = set(every(tmp_path)) - {OURS, PLAIN, CEILING}
    assert {path.parent.name for path in LOCKS} == peers
    assert [name for name in peers if not (ROOT / "benchmarks" / "peers" / name / "server.py").is_file()] == []


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_what_has_a_target_is_asked_of_us_and_of_the_stock_servers(tmp_path: Path, workload: object) -> None:
    (found,) = [known for known in WORKLOADS if known is workload]
    asked = {name for name, server in every(tmp_path).items() if server.ask(found, models.sample(1)) is not None}
    assert {OURS, "kserve", "mlserver", CEILING} <= asked
    assert (PLAIN in asked) == bool(found.plain_target)


def test_servers_take_turns_in_alternating_order(tmp_path: Path) -> None:
    servers = list(every(tmp_path).values())
    assert rounds._order(servers, 0) == servers == rounds._order(servers, 1)[::-1]


def test_the_echo_brings_along_the_server_whose_answers_it_repeats() -> None:
    assert list(cli.chosen("echo")) == [OURS, CEILING]


def test_an_unknown_server_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Void, match="there is no server nginx"):
        cli.chosen("nginx")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.name)
def test_every_version_of_a_peers_lock_carries_hashes(lock: Path) -> None:
    blocks = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    assert len(blocks) > 10
    assert [block.split()[0] for block in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.name)
def test_a_peers_lock_names_no_index_and_no_machine(lock: Path) -> None:
    stray = [line for line in lock.read_text().splitlines() if re.search(r"://|(?<![\w./-])/\w|index|find-links", line)]
    assert stray == []


# --- figures that are kept


@pytest.mark.parametrize("file", RESULTS, ids=lambda path: path.name)
def test_kept_figures_name_no_machine(file: Path) -> None:
    assert re.search(r"[\"\s]/\w|host|user", file.read_text()) is None


def test_docs_show_the_figures_of_a_kept_run() -> None:
    document, drawn = cli.DOCUMENT.read_text(), cli.CHART.read_text()
    runs = [Run.read(file) for file in RESULTS if re.fullmatch(r".*-cores(-quick)?\.json", file.name)]
    assert [run for run in runs if table(run) in document and chart.svg(run) == drawn]
    costs = [training.TrainingRun.read(file) for file in RESULTS if file.stem.endswith(training.SUFFIX)]
    assert [run for run in costs if training_table(run) in document]


# --- training


def test_training_is_measured_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "ENVIRONMENTS", tmp_path)
    monkeypatch.setattr(training, "STEPS", ("ingest", "validate"))
    said: list[str] = []
    found = training.measure([300], said.append)
    assert [(cost.step, cost.rows) for cost in found.costs] == [("ingest", 300), ("validate", 300)]
    assert all(cost.cpu_seconds > 0 and cost.peak_rss_mib > 50 for cost in found.costs)
    assert said[0].startswith("300 rows, ingest: ")
    assert not list((tmp_path / "training").iterdir())
    kept = found.write(tmp_path)
    assert training.TrainingRun.read(kept) == found
    shown = training_table(found).splitlines()[-2:]
    assert [line.split("|")[1:3] for line in shown] == [[" ingest ", " 300 "], [" validate ", " 300 "]]


def test_a_step_that_fails_voids_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "ENVIRONMENTS", tmp_path)
    monkeypatch.setattr(training, "STEPS", ("validate",))
    with pytest.raises(
        Void, match="validate of 300 rows failed: sklearn-kserve-train: no snapshot of rows has been taken"
    ):
        training.measure([300], lambda _: None)


def test_rows_to_train_on_are_the_same_each_time() -> None:
    pd.testing.assert_frame_equal(training.made(0, 50), training.made(0, 50))
    assert training.made(0, 50).shape == (50, training.COLUMNS + 1)
