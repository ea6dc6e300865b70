"""Documents a second of each reader, beside the bare library call on the same files.

    python -m relabel_assets_tests.benchmarks.readers --files 20

Makes files of some pages for each format. The reader is that of a corpus: in its process, with titles,
tables and clean text. The rival is what the library's own guide shows: trafilatura.extract, extract_text of
each page, the paragraphs of a document, the text frames of slides, the members of an archive. Both take
turns, file by file, so that they see the same load of the machine. The ratio is reader to rival: above 1 the
reader is faster.
"""

import argparse
import io
import random
import time
import zipfile
from collections.abc import Callable

from relabel_assets.intake.formats.parsing import process
from relabel_assets.intake.formats.registry import read_file
from relabel_assets_tests.intake.formats import samples

_WORDS = "leave parent days travel receipt manager policy hotel laptop badge visitor office request"
WORDS = _WORDS.split()


def paragraphs(draw: random.Random, n: int) -> list[str]:
    """`n` paragraphs of 60 words."""
    return [" ".join(draw.choices(WORDS, k=60)).capitalize() + "." for _ in range(n)]


def html(draw: random.Random) -> bytes:
    text = "".join(f"<h2>Part</h2><p>{text}</p>" for text in paragraphs(draw, 30))
    menu = "".join(f"<li><a href=/{n}>{word}</a></li>" for n, word in enumerate(WORDS))
    page = f"<title>Leave</title><body><ul>{menu}</ul><div><h1>Leave</h1>{text}</div></body>"
    return f"<html><head>{page}</html>".encode()


def pdf(draw: random.Random) -> bytes:
    pages = []
    for _ in range(10):
        texts = paragraphs(draw, 5)
        pages.append([text[n : n + 80] for text in texts for n in range(0, len(text), 80)])
    return samples.pdf_file(pages, around=("Handbook", "Page {n}"))


def docx(draw: random.Random) -> bytes:
    return samples.docx_file(paragraphs=paragraphs(draw, 60))


def pptx(draw: random.Random) -> bytes:
    return samples.pptx_file(slides=[("Leave", text) for text in paragraphs(draw, 20)])


def archive(draw: random.Random) -> bytes:
    return samples.zip_file(
        {f"{n}.md": text.encode() for n, text in enumerate(paragraphs(draw, 50))}
    )


def bare_html(content: bytes) -> object:
    import trafilatura

    return trafilatura.extract(content, output_format="markdown", favor_recall=True)


def bare_pdf(content: bytes) -> object:
    from pypdf import PdfReader

    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def bare_docx(content: bytes) -> object:
    from docx import Document

    return [paragraph.text for paragraph in Document(io.BytesIO(content)).paragraphs]


def bare_pptx(content: bytes) -> object:
    from pptx import Presentation

    slides = Presentation(io.BytesIO(content)).slides
    return [
        shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame
    ]


def bare_zip(content: bytes) -> object:
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return [opened.read(name).decode() for name in opened.namelist()]


FORMATS: dict[str, tuple[Callable[[random.Random], bytes], Callable[[bytes], object]]] = {
    ".html": (html, bare_html),
    ".pdf": (pdf, bare_pdf),
    ".docx": (docx, bare_docx),
    ".pptx": (pptx, bare_pptx),
    ".zip": (archive, bare_zip),
}


def read(suffix: str, content: bytes) -> int:
    """Read a file; the number of its documents."""
    return len(list(read_file(f"a{suffix}", content)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=20)
    arguments = parser.parse_args()
    for suffix, (make, bare) in FORMATS.items():
        files = [make(random.Random(seed)) for seed in range(arguments.files)]
        bare(files[0])  # imports
        started = time.perf_counter()
        read(suffix, files[0])
        first = time.perf_counter() - started
        ours = theirs = 0.0
        n_documents = 0
        for file in files:
            started = time.perf_counter()
            bare(file)
            middle = time.perf_counter()
            n_documents += read(suffix, file)
            theirs += middle - started
            ours += time.perf_counter() - middle
        size = sum(map(len, files)) / len(files) / 1024
        print(
            f"{suffix}: {n_documents / ours:.1f} documents/s, bare library {n_documents / theirs:.1f}, "
            f"ratio {theirs / ours:.2f} ({len(files)} files of {size:.0f} KiB; first file {first:.2f} s)"
        )
        process.close_all()


if __name__ == "__main__":
    main()
