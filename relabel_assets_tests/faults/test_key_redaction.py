"""A server that echoes the key, in every spelling and place: it is never printed and never stored."""

import html
import itertools
import json
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from relabel_assets.errors import TeacherError
from relabel_assets.running import runner
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import (
    N_PAIRS,
    UP_TO_CANDIDATES,
    ask_live,
    grade,
    make,
    make_pairs,
    statuses,
)
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import (
    TeacherServer,
    chat_body,
    error_body,
    good_reply,
)
from relabel_assets_tests.teacher.batch import batch_grading

KEY = "sk-live/5f0c+2b7e_9a1d4836"
PASSWORD = "pw-3c9e0d17"
TOKEN = "tk-77aa01bc"
RUN = [sys.executable, "-c", "from relabel_assets.cli.main import main; main()"]
RUN += ["run", "-c", "tiny", "-s", "teacher_labels"]


def _each(form: str) -> str:
    return "".join(form.format(ord(character)) for character in KEY)


# As they stand inside a JSON text. A server may escape the key before it builds its JSON, or while.
SPELLINGS = {
    "plain": KEY,
    "escaped by JSON": _each("\\u{:04x}"),
    "one letter escaped": KEY.replace("s", "\\u0073", 1),
    "escaped twice": _each("\\\\u{:04X}"),
    "escaped three times": _each("\\" * 4 + "u{:04x}"),
    "slash escaped": KEY.replace("/", "\\/"),
    "of a Python text": _each("\\\\x{:02x}"),
    "of a URL": _each("%{:02X}"),
    "of a URL in a URL": urllib.parse.quote(urllib.parse.quote(KEY, safe=""), safe=""),
    "decimal HTML": _each("&#{};"),
    "hexadecimal HTML": _each("&#x{:x}"),
    "named HTML": KEY.replace("/", "&sol;").replace("+", "&plus;").replace("_", "&lowbar;"),
}
HERE = "KEYKEY"  # a server's text has the key here
PLACES = {
    "rationale": chat_body(json.dumps({"rationale": f"the key is {HERE}", "grade": 2})),
    "name of a member": chat_body(json.dumps({"rationale": "r", "grade": 2, HERE: HERE})),
    "name in the body": good_reply(2) | {HERE: {HERE: [HERE]}},
    "prose": chat_body(f"I would say {HERE}"),
    "refusal": chat_body(None, refusal=f"not with {HERE}"),
    "error in 200": error_body(f"Bearer {HERE}", HERE),
}
ERRORS = {400: f"unknown field {HERE}", 429: f"slow down, {HERE}", 500: f"boom {HERE}"}


def answers() -> dict[str, tuple[int, dict[str, str], str]]:
    """(status, headers, text of the body) of each place and spelling."""
    bodies = [(200, json.dumps(body)) for body in PLACES.values()]
    bodies += [(status, json.dumps(error_body(text, HERE))) for status, text in ERRORS.items()]
    bodies += [(502, f"<html>{HERE}</html>"), (200, f"<html>{HERE}</html>")]
    made = {}
    for (number, (status, text)), (name, spelling) in itertools.product(
        enumerate(bodies), SPELLINGS.items()
    ):
        headers = {"x-request-id": spelling, "retry-after-ms": "1", "server": KEY}
        made[f"{number} {name}"] = (status, headers, text.replace(HERE, spelling))
    return made


def is_in(text: str) -> bool:
    """Whether `text` has the key or another secret, after any unescaping."""
    for _ in range(6):
        if any(secret in text for secret in (KEY, PASSWORD, TOKEN)):
            return True
        text = re.sub(r"\\+(?:u00|x)([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text)
        text = html.unescape(urllib.parse.unquote(re.sub(r"\\+/", "/", text)))
    return False


def files_with_the_key(folder: Path) -> list[Path]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file for file in files if is_in(file.read_bytes().decode("latin-1"))]


@pytest.fixture(autouse=True)
def key_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_the_assertion_finds_every_spelling(tmp_path: Path) -> None:
    for name, spelling in SPELLINGS.items():
        (tmp_path / name).write_text(f"x {spelling} y")
    assert len(files_with_the_key(tmp_path)) == len(SPELLINGS)


def test_an_echoed_key_is_in_no_file_and_no_output(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = answers()
    assert len(made) >= N_PAIRS  # each pair asks for another one
    names = itertools.cycle(made)
    server = TeacherServer(lambda body, key, nth: next(names) if nth == 1 else None)
    server.answers |= {name: lambda grade, it=it: it for name, it in made.items()}
    with server.running():
        address = server.base_url.replace("//", f"//user:{PASSWORD}@") + f"?token={TOKEN}"
        ask_live(home, base_url=address, max_retries=1, max_concurrency=4)
        assert make(*UP_TO_CANDIDATES).is_success  # type: ignore[union-attr]
        done = subprocess.run(RUN, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert statuses()["ok"] > 20 and statuses()["refused"] > 5
        server.choose = lambda body, key, nth: "denied"
        denied = error_body(HERE).__str__().replace(HERE, SPELLINGS["escaped twice"])
        server.answers["denied"] = lambda grade: (401, {}, denied)
        command = [*RUN, "--log-format", "json"]
        denied_run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert denied_run.returncode == 1 and "denies access" in denied_run.stderr
    files = {file.name for file in home.rglob("*") if file.is_file()}
    assert {"warehouse.duckdb", "dagster.yaml"} <= files
    assert any(name.endswith(".db") for name in files)  # Dagster's storage
    assert files_with_the_key(home / "home") == []
    _, warehouse = runner.from_environment()
    rows = "".join(str(warehouse.read(table, "tiny").rows()) for table in TABLES)
    assert "[key]" in rows and not is_in(rows)
    shown = capfd.readouterr()
    outputs = (done, denied_run)
    text = shown.out + shown.err + "".join(output.stdout + output.stderr for output in outputs)
    assert not is_in(text)


@pytest.mark.parametrize("spelling", ["plain", "escaped twice", "of a URL"])
def test_a_key_that_a_batch_api_echoes_is_in_no_file_and_no_message(
    spelling: str, tmp_path: Path
) -> None:
    server = BatchServer()
    spelled = json.loads(f'"{SPELLINGS[spelling]}"')
    server.answers_with = lambda grade: chat_body(
        json.dumps({"rationale": f"the key {spelled}", "grade": grade})
    )
    server.whole_batch_fails = lambda nth: (
        {"code": "invalid", "message": f"no such model, {spelled}"} if nth == 2 else None
    )
    with server.running():
        labels = batch_grading.grade(tmp_path, server, make_pairs(60))
        assert set(labels["status"]) == {"ok", "failed"} and not is_in(str(labels.rows()))
    assert files_with_the_key(tmp_path) == []


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_key_in_an_error_of_the_batch_api_is_in_no_message(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relabel_assets.teacher.batch.endpoint._RETRIES", 0)
    server = BatchServer()
    server.answer = lambda *_: (status, error_body(f"Bearer {KEY} {SPELLINGS['decimal HTML']}"))  # type: ignore[method-assign]
    with server.running(), pytest.raises(TeacherError) as caught:
        batch_grading.grade(tmp_path, server, make_pairs(1), max_retries=0)
    error: BaseException | None = caught.value
    while error is not None:
        assert not is_in(str(error)) and not is_in(repr(error))
        error = error.__cause__ or error.__context__


def test_a_redirect_to_another_host_is_not_followed(tmp_path: Path) -> None:
    elsewhere = TeacherServer()
    with elsewhere.running(), TeacherServer(lambda body, key, nth: "moved").running() as server:
        location = elsewhere.base_url + "/chat/completions"
        server.answers["moved"] = lambda grade: (307, {"location": location}, "")
        with pytest.raises(TeacherError, match=f"redirects to http://127.0.0.1:{elsewhere.port}"):
            grade(tmp_path, server, make_pairs(3), max_retries=3)
        assert sum(server.requests.values()) == 1 and not elsewhere.requests
        assert not elsewhere.authorizations


def test_a_redirect_on_the_same_host_is_followed(tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "moved" if nth == 1 else None)
    server.answers["moved"] = lambda grade: (307, {"location": "/v1/elsewhere"}, "")
    with server.running():
        assert grade(tmp_path, server, make_pairs(2))["status"].to_list() == ["ok"] * 2


def test_a_key_that_cannot_be_sent_is_an_error_that_does_not_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123\n456789")
    with TeacherServer().running() as server, pytest.raises(TeacherError) as caught:
        grade(tmp_path, server, make_pairs(1))
    assert "cannot be sent" in str(caught.value) and "456789" not in str(caught.value)
