"""The map in CONTRIBUTING.md is up to date. Files are easy to find: few side by side, one meaning a
name."""

from collections import defaultdict

from relabel_assets_tests import map as code_map

MOST_SIDE_BY_SIDE = 15
# File names that occur in several folders, each with the reason why both are plain there.
# cli/commands/ is not counted: a file there is named after its command.
SHARED_NAMES = {
    "documents.py": "a document of a corpus folder; a document encoded by the student",
    "endpoint.py": "one POST to the teacher's endpoint; the Batch API of the same endpoint",
    "folder.py": "a corpus on disk; a student on disk",
    "prompt.py": "a prompt file and its placeholders; the prompt of a decoder student",
    "report.py": "the benchmark's report; the ledger's report",
    "rounds.py": "the rounds of a batch; the rounds in which a cascade asks",
    "store.py": "the store of documents' vectors; the store of people's reviews",
}


def test_the_map_in_contributing_is_up_to_date() -> None:
    page = code_map.CONTRIBUTING.read_text(encoding="utf-8")
    assert page == code_map.page_with_map(page), "run: python -m relabel_assets_tests.map --write"


def test_every_module_says_in_its_first_line_what_it_holds() -> None:
    assert [file for file in code_map.modules() if not code_map.first_sentence(file)] == []


def test_no_folder_has_many_files_side_by_side() -> None:
    folders = code_map.by_folder(code_map.modules())
    crowded = {
        folder: len(files) for folder, files in folders.items() if len(files) > MOST_SIDE_BY_SIDE
    }
    assert crowded == {}


def test_a_file_name_has_one_meaning() -> None:
    folders_of = defaultdict(set)
    for folder, files in code_map.by_folder(code_map.modules()).items():
        if folder != "cli/commands":
            for file in files:
                # A student's own module may be named after its folder: decoder/decoder.py,
                # tables/tables.py.
                folders_of[file.name].add(folder)
    shared = {name for name, folders in folders_of.items() if len(folders) > 1}
    assert shared == set(SHARED_NAMES), "rename one of them, or give the reason in SHARED_NAMES"
