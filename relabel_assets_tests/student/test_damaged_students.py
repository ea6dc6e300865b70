"""A saved student with damaged files: an error with a way out, and no pickle is ever read."""

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from relabel_assets.errors import StudentError
from relabel_assets.student.labeler import Labeler

pytestmark = pytest.mark.slow

JSON_FILES = ["student.json", "config.json", "tokenizer.json", "document_encoder/config.json"]
WEIGHTS = ["model.safetensors", "evidence.safetensors", "document_encoder/model.safetensors"]


@pytest.fixture
def student(finished_home: Path, tmp_path: Path) -> Path:
    """A student of links to the files of the finished home's. Replace a file, and never write into one."""
    (folder,) = (finished_home / "models" / "tiny").iterdir()
    return Path(shutil.copytree(folder, tmp_path / "student", copy_function=os.link))


def replace(file: Path, content: bytes) -> None:
    file.unlink()
    file.write_bytes(content)


def assert_refused(student: Path) -> None:
    with pytest.raises(StudentError, match=r"[Rr]emove|is removed|later version"):
        Labeler.load(student)


@pytest.mark.parametrize("file", [*JSON_FILES, *WEIGHTS])
@pytest.mark.parametrize(
    "content", [None, b"", b"text", b"{}", b"[" * 100_000, b"\xff" * 100, b"[]", b"null"]
)
def test_a_missing_or_damaged_file_is_an_error(
    student: Path, file: str, content: bytes | None
) -> None:
    if (file, content) == ("config.json", b"{}"):
        pytest.skip("transformers then guesses the architecture by the name of the folder")
    if content is None:
        (student / file).unlink()
    else:
        replace(student / file, content)
    assert_refused(student)


def change_json(file: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(file.read_text())
    change(value)
    replace(file, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("student.json", lambda value: value["head"]["weight"].pop()),
        ("student.json", lambda value: value["head"]["mean"].append(1.0)),
        ("student.json", lambda value: value["head"]["weight"].__setitem__(0, float("nan"))),
        ("student.json", lambda value: value["head"]["names"].__setitem__(0, "mood")),
        ("student.json", lambda value: value["token_weight"].clear()),
        ("student.json", lambda value: value["token_weight"].pop()),
        ("student.json", lambda value: value.update(head=None)),
        ("student.json", lambda value: value.update(architecture="two_tower")),
        ("student.json", lambda value: value.update(architecture="decoder")),
        ("student.json", lambda value: value.update(architecture="cross_encoder")),
        ("config.json", lambda value: value.update(num_hidden_layers=10_000_000)),
        ("config.json", lambda value: value.update(hidden_size=10**9)),
        ("config.json", lambda value: value.update(vocab_size=10**12)),
        ("config.json", lambda value: value.update(hidden_size=128)),
        ("config.json", lambda value: value.update(model_type="nonsense")),
        ("config.json", lambda value: value.update(hidden_size="x")),
        ("tokenizer.json", lambda value: value["model"].update(vocab={"[UNK]": 5})),
    ],
)
def test_settings_that_do_not_fit_the_rest_are_an_error(
    student: Path, file: str, change: Callable[[Any], object]
) -> None:
    change_json(student / file, change)
    assert_refused(student)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("model.safetensors", lambda tensors: tensors.pop("encoder.layer.0.output.dense.weight")),
        ("model.safetensors", lambda tensors: tensors.clear()),
        (
            "model.safetensors",
            lambda tensors: tensors["embeddings.LayerNorm.weight"].fill_(float("nan")),
        ),
        ("evidence.safetensors", lambda tensors: tensors["feedback_words"].fill_(2**30)),
        ("evidence.safetensors", lambda tensors: tensors["feedback_words"].fill_(-1)),
        ("evidence.safetensors", lambda tensors: tensors["feedback_ends"].fill_(2**40)),
        ("evidence.safetensors", lambda tensors: tensors["n_words"].fill_(-5)),
        ("evidence.safetensors", lambda tensors: tensors.update(idf=tensors["idf"][:10].clone())),
        (
            "evidence.safetensors",
            lambda tensors: tensors.update(vectors=tensors["vectors"][:, :7].clone()),
        ),
        ("evidence.safetensors", lambda tensors: tensors.pop("lengths")),
    ],
)
def test_weights_that_do_not_fit_are_an_error(
    student: Path, file: str, change: Callable[[Any], object]
) -> None:
    tensors = load_file(student / file)
    change(tensors)
    (student / file).unlink()
    save_file(tensors, student / file)
    assert_refused(student)


@pytest.mark.parametrize("file", WEIGHTS)
@pytest.mark.parametrize("length", [0, 1, 2**20, 2**40, 2**63, 2**64 - 1])
def test_a_header_of_any_length_fills_no_memory(student: Path, file: str, length: int) -> None:
    content = (student / file).read_bytes()
    replace(student / file, struct.pack("<Q", length) + content[8:])
    assert_refused(student)


class _Evil:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


def test_no_pickle_is_read(student: Path, tmp_path: Path) -> None:
    for name in (
        "pytorch_model.bin",
        "training_args.bin",
        "optimizer.pt",
        "adapter/adapter_model.bin",
    ):
        (student / name).write_bytes(pickle.dumps(_Evil(tmp_path / "trace")))
    Labeler.load(student)
    (student / "model.safetensors").unlink()
    assert_refused(student)
    assert not (tmp_path / "trace").exists()
