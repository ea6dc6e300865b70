"""Files of text and mail made of pieces that break parsers: every one is documents or problems, by seed."""

from random import Random

import pytest

from relabel_assets.corpus.documents_folder.file_documents import documents_from_files
from relabel_assets.errors import Problem

PIECES = (
    b"---\n", b"+++\n", b"title: x\n", b"date: [", b"&a *a", b"!!python/x ", b"{", b"}", b"[" * 50,
    b"From a@b\n", b"Subject: x\n", b"\n", b"\r\n", b"Content-Type: multipart/mixed; boundary=a\n", b"--a\n",
    b"--a--\n", b"=?utf-8?B?", b"?=", b"Content-Transfer-Encoding: base64\n", b"> ", b"-- \n", b"a" * 300,
    b"Content-Disposition: attachment; filename*=utf-8''%FF%\n", b"Message-ID: <../../x>\n",
    b"References: <a> <b>\n", b"Date: Mon, 99 Foo\n", b'Content-Type: text/html; charset="x\n', b"# H\n",
    b"```\n", b"<!--", b"=\n", b"text ", b"\xc3\xa9", b"\xe9", b"\xed\xa0\x80", b"\xff\xfe", b"\x00",
)  # fmt: skip


@pytest.mark.parametrize("suffix", [".md", ".txt", ".eml", ".mbox"])
def test_a_hostile_file_is_documents_or_problems_and_its_neighbour_is_read(suffix: str) -> None:
    for seed in range(40):
        rng = Random(seed)
        content = b"".join(rng.choice(PIECES) for _ in range(rng.choice((3, 10, 40, 200))))
        problems: list[Problem] = []
        files = [(f"a{suffix}", content), ("b.md", b"Text.")]
        documents = list(documents_from_files(files, folder="documents", problems=problems))
        assert documents[-1]["doc_id"] == "b"
        for value in (value for document in documents for value in document.values()):
            assert value is None or "\0" not in value.encode().decode()
        # This message is that of an error that no reader foresaw.
        assert not [problem for problem in problems if "it cannot be read" in problem.message], seed
