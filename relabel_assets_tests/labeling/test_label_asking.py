"""`relabel label --ask` with a real student and a teacher over HTTP: who grades what, messages, identity."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from relabel_assets_tests.builders import KEY, ask_live, make, relabel
from relabel_assets_tests.faults.teacher_server import TeacherServer, error_body, true_grade

pytestmark = pytest.mark.slow


@pytest.fixture
def copied(finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished home, whose parent has the corpora: tests may change both."""
    shutil.copytree(finished_home, tmp_path / "home")
    shutil.copytree(finished_home.parent / "data", tmp_path / "data")
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RELABEL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path


@pytest.fixture
def server() -> Iterator[TeacherServer]:
    with TeacherServer().running() as server:
        yield server


@pytest.fixture
def live(copied: Path, server: TeacherServer) -> Path:
    """`copied` with a teacher at `server`, whose requests cost money."""
    price = {"input": 10.0, "output": 10.0}
    ask_live(copied, base_url=server.base_url, price_usd_per_million_tokens=price)
    return copied


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Eight queries with ten documents each, no two rows of a query side by side."""
    rows = [
        {"query": f"rules about {subject}", "title": title, "body": f"All about {title}. " * 3}
        for title in (f"{noun} in {place}" for noun in ("leave", "travel") for place in "ABCDE")
        for subject in ("leave", "travel", "keys", "laptops", "badges", "outages", "menus", "gates")
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "pairs.jsonl"


def label(pairs: Path, *options: str) -> subprocess.CompletedProcess[str]:
    out = str(pairs.with_name("labels.parquet"))
    return relabel("label", str(pairs), "-c", "tiny", "-o", out, *options)


def labels_of(pairs: Path, *options: str) -> pl.DataFrame:
    done = label(pairs, *options)
    assert done.returncode == 0, done.stderr
    assert not pairs.with_name("labels.parquet.parts").exists()
    return pl.read_parquet(pairs.with_name("labels.parquet"))


def of_labeler(labels: pl.DataFrame, labeler: str) -> pl.DataFrame:
    return labels.filter(pl.col("labeler") == labeler)


def test_a_share_of_each_query_is_the_teachers_and_the_rest_knows_it(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    labels = labels_of(pairs, "--ask", "20%")
    assert labels["row"].to_list() == list(range(80))
    queries = pl.read_ndjson(pairs)["query"]
    of_teacher = of_labeler(labels.with_columns(query=queries), "teacher")
    assert of_teacher["query"].value_counts()["count"].to_list() == [2] * 8
    assert sum(server.requests.values()) == 16
    for row in of_teacher.iter_rows(named=True):
        assert row["grade"] == true_grade(server.bodies[row["request_key"]])
    assert labels["n_known"].to_list() == [2] * 80
    rest = of_labeler(labels, "student")
    assert rest["request_key"].null_count() == rest["teacher_status"].null_count() == 64
    alone = labels_of(pairs, "--force")
    assert "labeler" not in alone.columns
    assert labels["expected_grade"].to_list() != alone["expected_grade"].to_list()


def test_a_share_may_be_a_fraction_and_the_same_call_pays_nothing_again(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    first = labels_of(pairs, "--ask", "0.2")
    n_requests = sum(server.requests.values())
    assert labels_of(pairs, "--ask", "20%", "--force").equals(first)
    assert sum(server.requests.values()) == n_requests == 16


def test_before_asking_pairs_and_dollars_are_said(live: Path, pairs: Path) -> None:
    said = label(pairs, "--ask", "20%").stderr
    assert "asking fake about 16 pairs of 80 rows, 16 requests: $0.1208" in said
    assert "the teacher graded 16 of 16 rows asked about" in said
    again = label(pairs, "--ask", "20%", "--force").stderr
    assert "no cost, the ledger has the answers" in again


def test_a_repeated_pair_is_asked_about_once(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    pairs.write_text(pairs.read_text() * 3)
    labels = labels_of(pairs, "--ask", "20%")
    assert sum(server.requests.values()) == 16
    assert of_labeler(labels, "teacher").height == 48
    assert labels["n_known"].to_list() == [2] * 240
    by_copy = labels["grade"].to_numpy().reshape(3, 80)
    assert (by_copy == by_copy[0]).all()


def test_rows_without_a_text_are_not_asked_about(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    pairs.write_text(pairs.read_text() + '{"query": "rules about leave", "doc_id": "nowhere"}\n')
    labels = labels_of(pairs, "--ask", "100%")
    assert sum(server.requests.values()) == of_labeler(labels, "teacher").height == 80
    last = labels.row(80, named=True)
    assert (last["status"], last["grade"], last["labeler"]) == ("set_aside", None, None)


def test_pairs_without_an_answer_are_graded_by_the_student_and_counted(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    server.choose = lambda body, key, nth: "refusal" if len(server.requests) <= 3 else None
    done = label(pairs, "--ask", "20%")
    assert "3 of 16 rows asked about had no answer: 3 refused" in done.stderr
    labels = pl.read_parquet(pairs.with_name("labels.parquet"))
    assert of_labeler(labels, "teacher").height == 13
    refused = labels.filter(pl.col("teacher_status") == "refused")
    assert refused["labeler"].to_list() == ["student"] * 3
    assert refused["grade"].null_count() == 0
    assert labels["n_known"].sum() == 13 * 10


def test_a_budget_stops_the_spend_and_the_student_grades_the_rest(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    done = label(pairs, "--ask", "100%", "--budget-usd", "0.1")  # a reply costs $0.0072
    assert done.returncode == 0
    assert "over_budget" in done.stderr
    assert 0 < sum(server.requests.values()) * 0.0072 <= 0.1
    labels = pl.read_parquet(pairs.with_name("labels.parquet"))
    assert set(labels["status"]) == {"ok"}


def test_a_teacher_that_answers_nothing_ends_the_command_which_then_continues(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    server.answers["bad"] = lambda grade: (400, {}, error_body("bad day"))
    server.choose = lambda body, key, nth: "bad"
    done = label(pairs, "--ask", "20%")
    assert done.returncode == 7
    assert "the teacher answered none of 16 questions" in " ".join(done.stderr.split())
    assert not pairs.with_name("labels.parquet").exists()
    server.choose = lambda body, key, nth: None
    assert of_labeler(labels_of(pairs, "--ask", "20%"), "teacher").height == 16


def test_another_share_or_teacher_does_not_continue_and_the_same_one_does(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    server.answers["denied"] = lambda grade: (401, {}, error_body("wrong key"))
    server.choose = lambda body, key, nth: "denied"
    assert label(pairs, "--ask", "20%").returncode == 7  # the parts stay
    server.choose = lambda body, key, nth: None
    config = live / "data" / "tiny" / "corpus.yaml"
    mine = config.read_text()
    for options in (("--ask", "30%"), ()):
        assert label(pairs, *options).returncode == 4
    for change in ({"model": "other"}, {"votes": 3}):
        settings = json.loads(mine)
        config.write_text(json.dumps(settings | {"teacher": settings["teacher"] | change}))
        done = label(pairs, "--ask", "20%")
        assert (done.returncode, "another --ask or teacher" in " ".join(done.stderr.split())) == (
            4,
            True,
        )
    settings = json.loads(mine)
    config.write_text(
        json.dumps(settings | {"teacher": settings["teacher"] | {"max_concurrency": 2}})
    )
    labels_of(pairs, "--ask", "20%")


def test_recorded_grades_answer_where_the_ids_match(copied: Path, pairs: Path) -> None:
    recorded = pl.read_ndjson(copied / "data" / "tiny" / "teacher_labels.jsonl")
    recorded.select("query_id", "doc_id").write_ndjson(pairs)
    labels = labels_of(pairs, "--ask", "25%")
    of_teacher = of_labeler(labels, "teacher")
    assert of_teacher.height == recorded.height // 4
    assert of_teacher["grade"].to_list() == recorded["grade"].gather(of_teacher["row"]).to_list()
    assert of_teacher["grade_probs"].null_count() == 0


def test_pairs_that_were_not_recorded_have_no_teacher_to_ask(copied: Path, pairs: Path) -> None:
    done = label(pairs, "--ask", "20%")
    assert done.returncode == 4
    assert "this corpus has no teacher to ask" in " ".join(done.stderr.split())
    done = label(pairs, "--ask", "20%", "--budget-usd", "1")
    assert "Leave --budget-usd out" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ask", "10"), "'10' is no share of the pairs. Write 10% or 0.1"),
        (("--ask", "0%"), "is no share"),
        (("--ask", "ten"), "is no share"),
        (("--budget-usd", "5"), "Add --ask 10%"),
        (("--rounds", "2"), "Add --ask 10%"),
        (("--ask", "10%", "--engine", "ray"), "Use --engine local"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: tuple[str, ...], message: str, live: Path, pairs: Path, server: TeacherServer
) -> None:
    done = label(pairs, *options)
    assert done.returncode in (2, 4)
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert not server.requests and not list(pairs.parent.glob("labels*"))


def test_batches_have_one_round(live: Path, pairs: Path, server: TeacherServer) -> None:
    config = live / "data" / "tiny" / "corpus.yaml"
    settings = json.loads(config.read_text())
    settings["teacher"]["mode"] = "batch"
    config.write_text(json.dumps(settings))
    done = label(pairs, "--ask", "20%", "--rounds", "2")
    assert done.returncode == 4 and "Leave --rounds out" in " ".join(done.stderr.split())
    assert not server.requests and not list(pairs.parent.glob("labels*"))


def test_rounds_ask_the_same_share_and_say_so_before(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    done = label(pairs, "--ask", "20%", "--rounds", "2")
    assert "asking fake about 16 pairs of 80 rows in 2 rounds" in done.stderr
    assert sum(server.requests.values()) == 16


def test_peoples_grades_of_the_corpus_count_and_are_counted(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    qrels = (live / "data" / "tiny" / "reference_labels.qrels").read_text().split()
    settings = live / "data" / "tiny" / "corpus.yaml"
    settings.write_text(
        json.dumps(json.loads(settings.read_text()) | {"reference": {"kind": "human"}})
    )
    make("reference_labels")
    graded = pl.DataFrame({"query_id": qrels[::4], "doc_id": qrels[2::4], "grade": qrels[3::4]})
    graded.select("query_id", "doc_id").write_ndjson(pairs)
    done = label(pairs, "--ask", "25%")
    assert f"{graded.height} rows with the grade of people" in done.stderr, done.stderr
    labels = pl.read_parquet(pairs.with_name("labels.parquet"))
    assert set(labels["labeler"]) == {"people"} and not server.requests
    assert labels["grade"].cast(pl.String).to_list() == graded["grade"].to_list()
    without = labels_of(pairs, "--ask", "25%", "--no-people", "--force")
    assert set(without["labeler"]) == {"teacher", "student"}


def test_a_student_without_a_second_stage_is_refused_before_anything_is_written(
    live: Path, pairs: Path, server: TeacherServer
) -> None:
    for settings in (live / "home").glob("**/student.json"):
        content = json.loads(settings.read_text())
        settings.write_text(json.dumps(content | {"cascade": None}))
    done = label(pairs, "--ask", "10%")
    assert done.returncode == 8
    assert "cannot use known grades" in " ".join(done.stderr.split())
    assert not server.requests and not list(pairs.parent.glob("labels*"))
