"""The teacher's commands on real homes: estimate, ledger, requests export and import."""

import json
import os
import re
from pathlib import Path

import pytest

from relabel_assets.running import runner
from relabel_assets_tests.builders import (
    N_PAIRS,
    UP_TO_CANDIDATES,
    ask_live,
    make,
    relabel,
    statuses,
)
from relabel_assets_tests.faults.teacher_server import TeacherServer, good_reply, true_grade


@pytest.fixture(autouse=True)
def no_proxy_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_estimates_before_candidates_before_sending_and_after_answers(home: Path) -> None:
    assert "recorded teacher" in relabel("estimate").stdout
    with TeacherServer().running() as server:
        ask_live(home, base_url=server.base_url, budget_usd=0.0001)
        before = relabel("estimate", "-c", "tiny").stdout
        assert "16 queries of queries.jsonl x 8 candidates" in before
        assert "128 pairs, 128 requests to fake" in before and "no price for fake" in before
        assert "bytes a token" in before and "assumed" in before
        price = {"price_usd_per_million_tokens": {"input": 1.0, "output": 1.0}}
        ask_live(home, base_url=server.base_url, budget_usd=0.001, **price)
        assert make(*UP_TO_CANDIDATES).is_success  # type: ignore[union-attr]
        during = relabel("estimate", "-c", "tiny").stdout
        assert (
            f"{N_PAIRS} to send" in during
            and "too low, the remaining pairs would get the status over_budget" in during
        )
        assert "at most $" in during and "set by" in during
        assert sum(server.requests.values()) == 0
        ask_live(home, base_url=server.base_url, **price)
        assert make("teacher_labels").is_success  # type: ignore[union-attr]
        after = relabel("estimate", "-c", "tiny").stdout
        assert f"{N_PAIRS} answered by the ledger" in after and "0 to send" in after
        documents = home / "data" / "tiny" / "documents.jsonl"
        documents.write_text(
            documents.read_text().replace("salary dates.", "salary dates, and more of it.")
        )
        assert make(*UP_TO_CANDIDATES).is_success  # type: ignore[union-attr]
        changed = relabel("estimate", "-c", "tiny").stdout
        assert (
            "112 answered by the ledger, pending in a batch or equal to another; 16 to send"
            in changed
        )
        assert "measured on 128 replies" in changed
        tokens = re.search(r"tokens +([\d,]+) prompt, (\d+) completion", changed)
        # The server bills 700 and 20 tokens for every request.
        assert tokens is not None and int(tokens[2]) == 16 * 20
        assert int(tokens[1].replace(",", "")) == pytest.approx(16 * 700, rel=0.02)
        assert sum(server.requests.values()) == N_PAIRS


def test_the_ledger_command_counts_and_verifies_lines(home: Path) -> None:
    assert "0 files" in relabel("ledger").stdout
    with TeacherServer(
        lambda body, key, nth: "500" if nth == 1 and key < "1" else None
    ).running() as server:
        ask_live(home, base_url=server.base_url)
        assert make(*UP_TO_CANDIDATES, "teacher_labels").is_success  # type: ignore[union-attr]
        n_sent = sum(server.requests.values())
    done = relabel("ledger", "--verify")
    assert done.returncode == 0 and f"{2 * n_sent} lines, {N_PAIRS} keys" in done.stdout
    assert f"{N_PAIRS} x 200" in done.stdout and f"{n_sent - N_PAIRS} x 500" in done.stdout
    (file,) = (home / "home" / "ledger").glob("tiny/*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    request = next(i for i, line in enumerate(lines) if b'"method"' in line)
    answer = next(i for i, line in enumerate(lines) if b'"status_code":200' in line)
    lines[request] = (
        lines[request].replace(b"parental", b"maternal", 1).replace(b"All that", b"Some of what", 1)
    )
    lines[answer] = lines[answer].replace(b'{"status_code":200,"c', b'{"status_code":500,"c', 1)
    lines.insert(1, b'{"hello": "world"}\n')
    lines.append(lines[-1][:-30])
    file.write_bytes(b"".join(lines))
    done = relabel("ledger", "--verify")
    assert done.returncode == 7
    for number, words in (
        (2, "torn or foreign"), (request + 1 + (request >= 1), "not the hash"), (answer + 2, "two statuses"),
        (len(lines), "torn"),
    ):  # fmt: skip
        assert re.search(rf"{file.name}:{number}: .*{words}", done.stderr), done.stderr
    quick = relabel("ledger")
    assert quick.returncode == 0 and "2 faulty lines" in quick.stdout


def answer(line: str, **changes: object) -> str:
    request = json.loads(line)
    reply = good_reply(true_grade(request["body"]))
    response = {
        "status_code": 200,
        "request_id": "r",
        "body": {**reply, "id": request["custom_id"][:8]},
    }
    response_line = {
        "id": "batch_req_1",
        "custom_id": request["custom_id"],
        "response": response,
        "error": None,
    }
    return json.dumps(response_line | changes) + "\n"


def test_exported_requests_answered_elsewhere_become_labels(home: Path, tmp_path: Path) -> None:
    ask_live(home, mode="offline")
    out, back = tmp_path / "requests.jsonl", tmp_path / "responses.jsonl"
    # There are no candidates yet.
    assert relabel("requests", "export", "-c", "tiny", "--out", str(out)).returncode == 3
    assert make(*UP_TO_CANDIDATES).is_success  # type: ignore[union-attr]
    assert relabel("requests", "export", "-c", "tiny", "--out", str(out)).returncode == 0
    lines = out.read_text().splitlines()
    assert len(lines) == N_PAIRS
    assert {tuple(sorted(json.loads(line))) for line in lines} == {
        ("body", "custom_id", "method", "url")
    }

    expired = {"response": None, "error": {"code": "batch_expired", "message": "expired"}}
    responses = [answer(line) for line in reversed(lines[:100])] + [answer(lines[100], **expired)]
    back.write_text("".join(responses).rstrip("\n"))  # some tools leave the last newline out
    done = relabel("requests", "import", str(back))
    assert done.returncode == 0, done.stderr
    assert "100 answers and 1 failure added to the ledger; 0 already existed" in done.stdout

    stranger = answer(lines[101]).replace(json.loads(lines[101])["custom_id"], "0" * 64)
    back.write_text("".join(responses[:100]) + stranger + "not json\n" + lines[0] + "\n")
    done = relabel("requests", "import", str(back))
    assert done.returncode == 7
    assert (
        "0 answers and 0 failures added to the ledger; 100 already existed; 3 lines skipped"
        in done.stdout
    )
    assert (
        f"{back}:101" in done.stderr
        and f"{back}:102" in done.stderr
        and "a request, not a response" in done.stderr
    )

    assert make("teacher_labels").is_success  # type: ignore[union-attr]
    assert statuses() == {"ok": 100, "failed": 28}
    _, warehouse = runner.from_environment()
    grades = dict(
        warehouse.query("select request_key, grade from teacher_labels where status = 'ok'").rows()
    )
    assert all(
        grades[json.loads(line)["custom_id"]] == true_grade(json.loads(line)["body"])
        for line in lines[:100]
    )

    second_export = tmp_path / "again.jsonl"
    assert relabel("requests", "export", "-c", "tiny", "--out", str(second_export)).returncode == 0
    missing = second_export.read_text().splitlines()
    assert sorted(missing) == sorted(lines[100:])
    back.write_text("".join(answer(line) for line in missing))
    assert relabel("requests", "import", str(back)).returncode == 0
    assert make("teacher_labels").is_success  # type: ignore[union-attr]
    assert statuses() == {"ok": N_PAIRS}
    assert (
        "nothing to export" in relabel("requests", "export", "-c", "tiny", "--out", str(out)).stdout
    )
    assert relabel("ledger", "--verify").returncode == 0
    assert not {"OPENAI_API_KEY", "OPENAI_BASE_URL"} & set(os.environ)


def test_unreadable_and_unwritable_files_end_with_an_error_message(
    home: Path, tmp_path: Path
) -> None:
    ask_live(home, mode="offline")
    assert make(*UP_TO_CANDIDATES).is_success  # type: ignore[union-attr]
    for arguments, words in (
        (("import", str(tmp_path / "none.jsonl")), "cannot be read"),
        (("export", "-c", "tiny", "-o", "/proc/none/requests.jsonl"), "cannot be written"),
    ):
        failed = relabel("requests", *arguments)
        assert (failed.returncode, words in failed.stderr, "Traceback" in failed.stderr) == (
            7,
            True,
            False,
        )


def test_an_estimate_includes_the_requests_that_write_queries(home: Path) -> None:
    folder = home / "data" / "plain"
    (folder / "documents").mkdir(parents=True)
    for number in range(6):
        words = " ".join(f"word{number}x{number_of_word}" for number_of_word in range(60))
        (folder / "documents" / f"d{number}.md").write_text(f"# Title {number}\n\n{words}\n")
    (folder / "corpus.yaml").write_text(
        "teacher: {kind: openai, model: gpt-4o-mini}\nqueries: {per_document: 2}\n"
    )
    output = relabel("estimate", "-c", "plain").stdout
    assert "queries from 6 seed documents, 6 requests to gpt-4o-mini" in output
    assert "360 completion" in output  # 6 replies of two queries of 30 tokens
    assert "6 seed documents x 2 queries" in output
