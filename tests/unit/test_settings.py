"""Settings: defaults that are promised, where values come from, and what a wrong one is told."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from model.settings import Settings
from model.settings.kserve import IGNORED_FLAGS
from model.settings.table import document
from tests.certificates import Authority
from tests.keys import make_key

ROOT = Path(__file__).resolve().parents[2]

DEFAULTS = {
    "model_dir": Path("/mnt/models"),
    "model_name": None,
    "model_root": None,
    "watch_seconds": 0.0,
    "max_versions": 3,
    "default_model": None,
    "require_manifest": False,
    "skops_trusted": (),
    "verify_key": (),
    "code_dir": None,
    "predict_proba": False,
    "host": "127.0.0.1",
    "http_port": 8080,
    "grpc_port": 8081,
    "enable_grpc": True,
    "protocol": None,
    "workers": 1,
    "threads": None,
    "api_key_file": None,
    "allow_unauthenticated": False,
    "enable_repository_api": False,
    "ssl_certfile": None,
    "ssl_keyfile": None,
    "ssl_ca_certs": None,
    "enable_docs_url": True,
    "max_request_bytes": 33_554_432,
    "grpc_max_receive_message_length": 8_388_608,
    "grpc_max_send_message_length": 8_388_608,
    "max_rows": 10_000,
    "max_batch_rows": 64,
    "max_in_flight": 256,
    "max_queue": 128,
    "client_timeout_seconds": 60.0,
    "max_connections": 4096,
    "request_timeout_seconds": 30.0,
    "timeout_keep_alive": 65,
    "grpc_max_connection_age": 300,
    "drain_seconds": 5.0,
    "drift_half_life_seconds": 3600.0,
    "log_level": "info",
    "enable_latency_logging": False,
    "ignored": (),
}


OTHERS = {
    "model_dir": "models",
    "model_name": "penguins",
    "model_root": "models",
    "watch_seconds": "2.5",
    "max_versions": "1",
    "default_model": "penguins",
    "require_manifest": "true",
    "skops_trusted": "a.B",
    "verify_key": "key.pem",
    "code_dir": "code",
    "predict_proba": "true",
    "host": "0.0.0.0",
    "http_port": "1",
    "grpc_port": "1",
    "enable_grpc": "false",
    "protocol": "v2",
    "workers": "2",
    "threads": "1",
    "api_key_file": "keys.json",
    "allow_unauthenticated": "true",
    "enable_repository_api": "true",
    "ssl_certfile": "server.pem",
    "ssl_keyfile": "server.key",
    "ssl_ca_certs": "ca.pem",
    "enable_docs_url": "false",
    "max_request_bytes": "1",
    "grpc_max_receive_message_length": "1",
    "grpc_max_send_message_length": "1",
    "max_rows": "1",
    "max_batch_rows": "1",
    "max_in_flight": "1",
    "max_queue": "1",
    "client_timeout_seconds": "0.5",
    "max_connections": "1",
    "request_timeout_seconds": "0.5",
    "timeout_keep_alive": "1",
    "grpc_max_connection_age": "1",
    "drain_seconds": "0",
    "drift_half_life_seconds": "600",
    "log_level": "debug",
    "enable_latency_logging": "true",
}


def read(*argv: str, **environ: str) -> Settings:
    return Settings.from_sources(argv, environ)


def refusal(capsys: pytest.CaptureFixture[str], *argv: str, **environ: str) -> str:
    """Return the sentence by which settings are refused."""
    with pytest.raises(SystemExit) as stopped:
        read(*argv, **environ)
    assert stopped.value.code == 2
    usage, sentence = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage: sklearn-kserve serve")
    return sentence.removeprefix("sklearn-kserve serve: error: ")


def test_the_promised_defaults_hold() -> None:
    assert read().model_dump() == DEFAULTS


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read().max_rows = 1  # type: ignore[misc]


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings(max_row=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "argv",
    [["--http_port", "9000"], ["--http_port=9000"], ["--http-port", "9000"], ["--http-port=9000"]],
    ids=" ".join,
)
def test_a_flag_is_written_as_one_likes(argv: list[str]) -> None:
    assert read(*argv).http_port == 9000


def test_dashes_in_values_stay() -> None:
    assert read("--model-name=my-model").model_name == "my-model"
    assert read("--model-name", "my-model").model_name == "my-model"
    assert read("--model-dir=--odd-name").model_dir == Path("--odd-name")


@pytest.mark.parametrize(
    ("argv", "value"),
    [
        (["--require_manifest"], True),
        (["--require_manifest=true"], True),
        (["--require_manifest", "false"], False),
        (["--require-manifest=False"], False),
        (["--require_manifest", "--http_port", "1"], True),
    ],
)
def test_a_flag_for_true_or_false_stands_alone_or_has_a_value(argv: list[str], *, value: bool) -> None:
    assert read(*argv).require_manifest is value


@pytest.mark.parametrize("name", OTHERS)
def test_every_setting_is_a_flag_and_a_variable(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    Path("key.pem").touch()
    make_key(Path("keys.json"))
    Authority("ours").write(Path("ca.pem")).issue(Path("server.pem"), Path("server.key"))
    others = {
        "enable_repository_api": ("api_key_file",),
        "host": ("api_key_file",),
        "ssl_certfile": ("ssl_keyfile",),
        "ssl_keyfile": ("ssl_certfile",),
        "ssl_ca_certs": ("ssl_certfile", "ssl_keyfile"),
    }
    needed = {f"SKLEARN_KSERVE_{other.upper()}": OTHERS[other] for other in others.get(name, ())}
    by_flag = read(f"--{name}={OTHERS[name]}", **needed)
    by_variable = read(**{f"SKLEARN_KSERVE_{name.upper()}": OTHERS[name]}, **needed)
    assert by_flag == by_variable
    assert getattr(by_flag, name) != DEFAULTS[name]


def test_every_setting_is_tried_with_another_value() -> None:
    assert set(OTHERS) == set(Settings.options())


def test_flags_go_before_variables_and_these_before_kserves() -> None:
    environ = {"PORT": "1001"}
    assert read(**environ).http_port == 1001
    environ["SKLEARN_KSERVE_HTTP_PORT"] = "1002"
    assert read(**environ).http_port == 1002
    assert read("--http_port=1003", **environ).http_port == 1003


@pytest.mark.parametrize(("value", "wanted"), [("true", True), ("True", True), ("false", False), ("", False)])
def test_kserves_variable_asks_for_probabilities(value: str, *, wanted: bool) -> None:
    assert read(PREDICT_PROBA=value).predict_proba is wanted


@pytest.mark.parametrize("protocol", ["v1", "v2", "grpc-v2"])
def test_each_of_kserves_protocols_is_accepted(protocol: str) -> None:
    assert read(PROTOCOL=protocol).protocol == protocol
    assert read("--protocol", protocol).ignored == ()


def test_what_kserve_sets_beside_a_root_is_no_contradiction(tmp_path: Path) -> None:
    settings = read("--model_root", str(tmp_path), STORAGE_URI="s3://bucket/model", PROTOCOL="v2")
    assert settings.model_root == tmp_path


def test_an_empty_variable_is_none() -> None:
    assert read(SKLEARN_KSERVE_DEFAULT_MODEL="", SKLEARN_KSERVE_HTTP_PORT="", PORT="1001").http_port == 1001


def test_no_setting_is_named_as_the_variables_that_kubernetes_makes_of_a_service() -> None:
    # A Service called sklearn-kserve puts SKLEARN_KSERVE_PORT=tcp://10.0.0.1:80 and the like into every pod.
    assert not [name for name in Settings.model_fields if name.startswith(("port", "service"))]
    environ = {"SKLEARN_KSERVE_PORT": "tcp://10.0.0.1:80", "SKLEARN_KSERVE_SERVICE_HOST": "10.0.0.1"}
    assert read(**environ) == read()


def test_trusted_types_are_separated_by_commas() -> None:
    assert read("--skops_trusted", "a.B, c.D,").skops_trusted == ("a.B", "c.D")


def test_keys_that_versions_are_signed_by_are_separated_by_commas(tmp_path: Path) -> None:
    old, new = tmp_path / "old.pem", tmp_path / "new.pem"
    for path in (old, new):
        path.touch()
    assert read("--verify_key", f"{old},{new}").verify_key == (old, new)


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_an_empty_list_of_keys_opens_no_door(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "SKLEARN_KSERVE_VERIFY_KEY is ''; expected files that exist, separated by commas"
    assert refusal(capsys, SKLEARN_KSERVE_VERIFY_KEY=value) == sentence


def test_the_log_level_is_read_in_either_case() -> None:
    assert read("--log_level", "DEBUG").log_level == "debug"


@pytest.mark.parametrize(
    ("argv", "environ", "sentence"),
    [
        (["--http_port", "x"], {}, "--http_port is 'x'; expected a whole number from 0 to 65535"),
        (["--http_port", "-1"], {}, "--http_port is '-1'; expected a whole number from 0 to 65535"),
        (["--http_port", "65536"], {}, "--http_port is '65536'; expected a whole number from 0 to 65535"),
        (["--max_rows", "0"], {}, "--max_rows is '0'; expected a whole number of at least 1"),
        (["--threads", "1.5"], {}, "--threads is '1.5'; expected a whole number of at least 1"),
        (["--request_timeout_seconds", "0"], {}, "--request_timeout_seconds is '0'; expected a number above 0"),
        (["--watch_seconds", "inf"], {}, "--watch_seconds is 'inf'; expected a number of at least 0"),
        (["--max_versions", "0"], {}, "--max_versions is '0'; expected a whole number of at least 1"),
        (["--drain_seconds", "-1"], {}, "--drain_seconds is '-1'; expected a number of at least 0"),
        (["--require_manifest=maybe"], {}, "--require_manifest is 'maybe'; expected true or false"),
        (["--host="], {}, "--host is ''; expected a text that is not empty"),
        (["--protocol", "v3"], {}, "--protocol is 'v3'; expected one of v1, v2, grpc-v2"),
        ([], {"PROTOCOL": "v3"}, "PROTOCOL is 'v3'; expected one of v1, v2, grpc-v2"),
        ([], {"PREDICT_PROBA": "maybe"}, "PREDICT_PROBA is 'maybe'; expected true or false"),
        ([], {"PORT": "x"}, "PORT is 'x'; expected a whole number from 0 to 65535"),
        (
            [],
            {"SKLEARN_KSERVE_MAX_ROWS": "many"},
            "SKLEARN_KSERVE_MAX_ROWS is 'many'; expected a whole number of at least 1",
        ),
        (
            ["--log_level", "loud"],
            {},
            "--log_level is 'loud'; expected one of debug, info, warning, error, critical",
        ),
        (["--workers", "0"], {}, "--workers is '0'; expected a whole number of at least 1"),
        (["--code_dir", "/nowhere"], {}, "--code_dir is '/nowhere'; expected a directory that exists"),
        (
            ["--verify_key", "/dev/null,/a.pem"],
            {},
            "--verify_key is '/dev/null'; expected files that exist, separated by commas",
        ),
        (
            ["--http_port", "9000"],
            {"SKLEARN_KSERVE_GRPC_PORT": "9000"},
            "--http_port and SKLEARN_KSERVE_GRPC_PORT are both 9000; expected two different ports",
        ),
        (
            ["--model_root", "r", "--model_dir", "d"],
            {},
            "--model_root and --model_dir were both given; expected a directory of models or one model",
        ),
        (
            ["--model_root", "r"],
            {"SKLEARN_KSERVE_MODEL_NAME": "m"},
            "--model_root and SKLEARN_KSERVE_MODEL_NAME were both given; expected a directory of models or one model",
        ),
        (["--unheard_of", "1"], {}, "unrecognized arguments: --unheard_of 1"),
        (["--http_por", "1"], {}, "unrecognized arguments: --http_por 1"),
        (["models"], {}, "unrecognized arguments: models"),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence(
    argv: list[str], environ: Mapping[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, *argv, **environ) == sentence


def test_any_free_port_may_be_taken_for_both() -> None:
    settings = read("--http_port=0", "--grpc_port=0")
    assert (settings.http_port, settings.grpc_port) == (0, 0)


def test_without_grpc_its_port_does_not_matter() -> None:
    assert read("--http_port=9000", "--grpc_port=9000", "--enable_grpc=false").http_port == 9000


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_loopback_address_needs_no_key(host: str) -> None:
    assert read("--host", host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_a_public_address_needs_keys_or_a_word(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "--host", host) == (
        f"--host is '{host}', which others can reach, and there are no keys; expected --api_key_file, "
        "or --allow_unauthenticated=true where something in front authenticates"
    )
    make_key(tmp_path / "keys.json")
    assert read("--host", host, "--api_key_file", str(tmp_path / "keys.json")).host == host
    assert read("--host", host, SKLEARN_KSERVE_ALLOW_UNAUTHENTICATED="true").host == host


def test_loading_by_clients_needs_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "--enable_repository_api is true and there are no keys; expected --api_key_file with it"
    assert refusal(capsys, "--enable_repository_api", "--allow_unauthenticated") == sentence
    make_key(tmp_path / "keys.json")
    assert read("--enable_repository_api", f"--api_key_file={tmp_path / 'keys.json'}").enable_repository_api


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read: No such file or directory."),
        (b"swordfish", "is not JSON; expected one that `sklearn-kserve key --file` has written."),
        (b"{}", "is none: keys: Field required."),
    ],
    ids=["missing", "not JSON", "another document"],
)
def test_a_file_that_holds_no_keys_is_refused_and_not_repeated(
    content: bytes | None, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_bytes(content)
    assert refusal(capsys, f"--api_key_file={file}") == f"--api_key_file: The file of keys {file} {reason}"


@pytest.mark.parametrize("name", ["api_key_file", "ssl_certfile", "ssl_keyfile", "ssl_ca_certs"])
def test_an_empty_variable_does_not_open_a_door(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    variable = f"SKLEARN_KSERVE_{name.upper()}"
    assert variable in refusal(capsys, "--allow_unauthenticated", **{variable: ""})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("ssl_certfile", "--ssl_certfile is given without --ssl_keyfile; expected both"),
        ("ssl_keyfile", "--ssl_keyfile is given without --ssl_certfile; expected both"),
        ("ssl_ca_certs", "--ssl_ca_certs is given without --ssl_certfile; expected both"),
    ],
)
def test_a_certificate_is_given_with_its_key(given: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, f"--{given}=file.pem") == sentence


def test_a_certificate_with_the_key_of_another_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = Authority("ours")
    for name in ("a", "b"):
        ours.issue(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
    certificate, key = tmp_path / "a.pem", tmp_path / "b.key"
    assert refusal(capsys, f"--ssl_certfile={certificate}", f"--ssl_keyfile={key}") == (
        f"TLS can't be served: The key in {key} is not that of the certificate in {certificate}."
    )


def test_kserves_flags_without_a_meaning_are_collected() -> None:
    settings = read("--max_threads=8", "--enable_predictor_health_check", "--event-loop", "uvloop", "--http_port=1")
    assert settings.ignored == ("--max_threads", "--enable_predictor_health_check", "--event_loop")


@pytest.fixture(scope="module")
def kserve_flags() -> dict[str, str]:
    """KServe's own flags, each with a value it takes; read in another process, for KServe reads argv at import."""
    program = (
        "import json; from kserve.model_server import parser\n"
        "values = {a.option_strings[0]: '' if a.nargs == 0 else str(a.default) for a in parser._actions}\n"
        "print(json.dumps(values))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_flag_of_kserve_is_accepted(kserve_flags: dict[str, str], tmp_path: Path) -> None:
    files = {"--ssl_certfile": str(tmp_path / "server.pem"), "--ssl_keyfile": str(tmp_path / "server.key")}
    Authority("ours").issue(tmp_path / "server.pem", tmp_path / "server.key")
    argv = [f"{flag}={value}" if value else flag for flag, value in (kserve_flags | files).items()]
    settings = read(*argv)
    assert settings.grpc_max_send_message_length == int(kserve_flags["--grpc_max_send_message_length"])
    assert set(settings.ignored) == {f"--{name}" for name in IGNORED_FLAGS}


def test_no_other_flags_are_ignored(kserve_flags: dict[str, str]) -> None:
    names = {flag.removeprefix("--").replace("-", "_") for flag in kserve_flags}
    assert set(IGNORED_FLAGS) <= names - set(Settings.options())


def test_the_defaults_of_kserves_flags_are_kserves(kserve_flags: dict[str, str]) -> None:
    theirs = {flag.removeprefix("--").replace("-", "_"): value for flag, value in kserve_flags.items()}
    ours = {name: str(DEFAULTS[name]) for name in Settings.options() if name in theirs}
    # A page that works offline costs nothing; a line per request does; all protocols are served here.
    others = {"enable_docs_url": "True", "enable_latency_logging": "False", "protocol": "None", "model_name": "None"}
    assert ours == {name: theirs[name] for name in ours} | others


def test_help_names_every_setting_and_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        read("--help")
    assert stopped.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(f"--{name} " in text for name in Settings.options())
    assert "Rows in a request; more is 413. Default: 10000." in text


def test_the_reference_is_what_its_command_writes() -> None:
    command = [sys.executable, "-m", "model.settings"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == document()
    assert (ROOT / "docs" / "settings.md").read_text() == document(), "run python -m model.settings > docs/settings.md"


def test_every_setting_has_a_sentence_in_the_reference() -> None:
    for name, field in Settings.options().items():
        assert field.description is not None
        assert field.description.endswith(".")
        assert f"`--{name}`<br>`SKLEARN_KSERVE_{name.upper()}`" in document()
