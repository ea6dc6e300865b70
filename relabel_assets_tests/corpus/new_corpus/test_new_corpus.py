"""A corpus folder is made out of whatever a user has, whole or not at all."""

import os
import zipfile
from dataclasses import replace

import pytest
import yaml

from relabel_assets.corpus.check import check_folder
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.new_corpus.make import copy_files, new_folder
from relabel_assets.corpus.new_corpus.origin import origin_of
from relabel_assets.corpus.new_corpus.overview import overview_of
from relabel_assets.corpus.new_corpus.settings_text import settings_text
from relabel_assets.errors import ConfigError, CorpusError


def made(tmp_path, source):
    """The corpus that is made of `source`, and the problems of copying it."""
    with new_folder(tmp_path / "data", "wiki") as path:
        origin = origin_of(source)
        problems = [*origin.left_out, *copy_files(origin, path)]
        if not origin.is_kept_as_it_is:
            (path / "corpus.yaml").write_text(settings_text("wiki", "From: x", "gpt-4o-mini"))
    return CorpusFolder("wiki", tmp_path / "data" / "wiki"), problems


def write(root, **files):
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


class TestOrigin:
    def test_a_folder_of_documents_keeps_its_folders(self, tmp_path):
        source = write(
            tmp_path / "docs", hr__leave_dot_md="# Leave\nAsk HR.", vpn_dot_txt="Use it."
        )
        folder, problems = made(tmp_path, source)
        assert problems == []
        assert folder.documents().frame["doc_id"].to_list() == ["hr/leave", "vpn"]
        assert check_folder(folder).problems == []

    def test_what_nobody_reads_is_named_and_pictures_are_not(self, tmp_path):
        source = write(
            tmp_path / "docs", a_dot_md="text", b_dot_xyz="?", c_dot_png="?", _dot_git__x="?"
        )
        folder, problems = made(tmp_path, source)
        assert [problem.file for problem in problems] == ["b.xyz"]
        assert [file.name for file in (folder.path / "documents").iterdir()] == ["a.md"]

    def test_a_table_with_a_row_a_document_is_the_documents(self, tmp_path):
        source = tmp_path / "export.csv"
        source.write_text("ID,Title,Text\n7,Leave,Ask HR.\n8,VPN,Use it.\n")
        folder, _ = made(tmp_path, source)
        assert folder.documents().frame["doc_id"].to_list() == ["7", "8"]
        assert (folder.path / "documents.csv").is_file()

    def test_any_other_table_is_one_document(self, tmp_path):
        source = tmp_path / "prices.csv"
        source.write_text("plan,price\nsmall,3\nlarge,9\n")
        folder, _ = made(tmp_path, source)
        assert folder.documents().frame["doc_id"].to_list() == ["prices"]

    def test_an_archive_is_its_documents(self, tmp_path):
        source = tmp_path / "wiki.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("hr/leave.md", "# Leave\nAsk HR.")
        folder, _ = made(tmp_path, source)
        assert folder.documents().frame["doc_id"].to_list() == ["wiki/hr/leave"]

    def test_a_folder_of_beir_keeps_its_queries_and_grades(self, tmp_path):
        source = write(
            tmp_path / "beir",
            corpus_dot_jsonl='{"_id": "d1", "title": "Leave", "text": "Ask HR."}\n',
            queries_dot_jsonl='{"_id": "q1", "text": "leave"}\n',
            qrels__test_dot_tsv="query-id\tcorpus-id\tscore\nq1\td1\t1\n",
            notes_dot_md="nobody's",
        )
        folder, problems = made(tmp_path, source)
        assert [problem.file for problem in problems] == ["notes.md"]
        counts = folder.summary()
        assert (counts.n_documents, counts.n_queries, counts.n_reference_labels) == (1, 1, 1)

    def test_a_corpus_folder_keeps_its_settings(self, tmp_path):
        source = write(
            tmp_path / "old", corpus_dot_yaml="description: mine\n", documents__a_dot_md="text"
        )
        folder, _ = made(tmp_path, source)
        assert folder.config.description == "mine"

    @pytest.mark.parametrize("name", ["missing", "a.exe", "empty"])
    def test_what_has_no_documents_is_refused(self, tmp_path, name):
        (tmp_path / "empty").mkdir()
        (tmp_path / "a.exe").write_bytes(b"MZ")
        with pytest.raises(ConfigError, match=r"--from .*(cannot be read|is not read|no document)"):
            origin_of(tmp_path / name)

    def test_a_link_to_nothing_is_named_as_one(self, tmp_path):
        source = write(tmp_path / "docs", a_dot_md="# A\na")
        (source / "gone").symlink_to("missing")
        (source / ".#lock").symlink_to("missing")
        [problem] = origin_of(source).left_out
        assert (problem.file, problem.message) == ("gone", "it is a link to nothing")

    def test_links_out_of_the_folder_are_not_followed(self, tmp_path):
        secret = write(tmp_path / "secret", key_dot_txt="hush")
        source = write(tmp_path / "docs", a_dot_md="text")
        (source / "b.txt").symlink_to(secret / "key.txt")
        (source / "folder").symlink_to(secret)
        folder, problems = made(tmp_path, source)
        assert {problem.file for problem in problems} == {"b.txt", "folder"}
        assert folder.documents().frame.height == 1


class TestMake:
    def test_an_existing_corpus_is_not_touched(self, tmp_path):
        kept = write(tmp_path / "data" / "wiki", a_dot_md="mine")
        with (
            pytest.raises(CorpusError, match="already exists"),
            new_folder(tmp_path / "data", "wiki"),
        ):
            pass
        assert (kept / "a.md").read_text() == "mine"

    @pytest.mark.parametrize("name", ["HR Docs", "../out", "", "a" * 65])
    def test_a_name_that_no_corpus_has_makes_nothing(self, tmp_path, name):
        with pytest.raises(CorpusError, match="names are lower case"), new_folder(tmp_path, name):
            pass
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ConfigError])
    def test_after_an_error_nothing_is_left(self, tmp_path, error):
        with pytest.raises(error), new_folder(tmp_path, "wiki") as path:
            write(path, a_dot_md="half")
            raise error
        assert list(tmp_path.iterdir()) == []

    def test_a_trial_leaves_nothing(self, tmp_path):
        with new_folder(tmp_path, "wiki", is_kept=False) as path:
            write(path, a_dot_md="seen")
        assert list(tmp_path.iterdir()) == []

    def test_copies_keep_the_times_of_files(self, tmp_path):
        source = write(tmp_path / "docs", a_dot_md="text")
        os.utime(source / "a.md", (10**9, 10**9))
        folder, _ = made(tmp_path, source)
        assert (folder.path / "documents" / "a.md").stat().st_mtime == 10**9


def test_no_teacher_is_switched_on(tmp_path):
    folder, _ = made(tmp_path, write(tmp_path / "docs", a_dot_md="text"))
    assert folder.teacher_kind == "none"
    trial = replace(folder, trial_model="gpt-4o-mini")
    assert (trial.teacher_kind, trial.config.teacher.model) == ("openai", "gpt-4o-mini")


def test_the_comments_are_settings_that_are_read(tmp_path):
    text = settings_text("wiki", 'a "quoted" name', "gpt-4o-mini", has_reference=True)
    uncommented = "\n".join(
        line[2:] if line.startswith("# ") and line[2:3] in "tqcr " and ":" in line else line
        for line in text.splitlines()
    )
    settings = yaml.safe_load(uncommented)
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(settings))
    assert {"teacher", "queries", "candidates", "reference"} <= set(settings)
    assert CorpusFolder("wiki", tmp_path).config.teacher.model == "gpt-4o-mini"


def test_the_overview_counts_what_a_reader_would_ask(tmp_path):
    source = write(
        tmp_path / "docs",
        a_dot_md="---\nauthor: Ana\ndate: 2024-01-05\n---\n# Leave\nEvery employee may take leave.",
        b_dot_md="Der Urlaub muss bis zum Ende des Jahres genommen werden.",
    )
    folder, _ = made(tmp_path, source)
    overview = overview_of(folder)
    assert overview.counts.n_documents == 2
    assert (overview.n_with_title, overview.n_with_date, overview.n_with_author) == (2, 1, 1)
    assert overview.languages == {"en": 1, "de": 1}
    assert [(sample.doc_id, sample.title) for sample in overview.samples] == [
        ("a", "Leave"),
        ("b", "b"),
    ]
    assert overview.lengths[2] == 56


def test_languages_are_those_of_the_first_thousand_documents(tmp_path, monkeypatch):
    from relabel_assets.corpus.new_corpus import overview

    monkeypatch.setattr(overview, "_LANGUAGES_OF", 1)
    monkeypatch.setattr("relabel_assets.corpus.documents._BATCH_ROWS", 2)
    rows = "".join(f"{n},Every employee may take leave number {n} here.\n" for n in range(5))
    (tmp_path / "docs.csv").write_text("doc_id,body\n" + rows)
    folder, _ = made(tmp_path, tmp_path / "docs.csv")
    seen = overview_of(folder)
    assert (seen.languages.total(), seen.counts.n_documents) == (1, 5)


def test_an_error_of_the_work_is_not_blamed_on_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError), new_folder(tmp_path, "wiki"):
        (tmp_path / "missing").read_text()
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="cannot be made"), new_folder(tmp_path / "file", "wiki"):
        pass
