"""Hostile documents in files: front matter, headings, and text that is slow to parse or unsafe to show.

What belongs here: the content of one file of documents/. What does not: its name and kind (nasty_files.py).
"""

from pathlib import Path
from random import Random

from relabel_assets_tests.fuzz.good_corpus import write_good
from relabel_assets_tests.fuzz.nasty_values import (
    ESCAPES,
    UNITS,
    aliases,
    json_value,
    nested,
    plain_text,
    size,
    text,
    yaml_value,
)  # fmt: skip

_KEYS = (
    "title",
    "author",
    "authors",
    "path",
    "updated_at",
    "date",
    "doc_type",
    "type",
    "tags",
    "",
    "<<",
    "? x",
)


def document(rng: Random, folder: Path) -> str:
    """One hostile Markdown or text file beside good ones."""
    root = write_good(folder, "markdown")
    kind = rng.choice((_front_matter, _front_matter, _broken_front_matter, _heading, _body))
    path = root / f"nasty{rng.choice(('.md', '.md', '.markdown', '.txt', '.MD'))}"
    path.write_bytes(kind(rng).encode("utf-8", rng.choice(("replace", "surrogatepass"))))
    return kind.__name__.strip("_")


def _front_matter(rng: Random) -> str:
    lines = [f"{rng.choice(_KEYS)}: {yaml_value(rng)}" for _ in range(rng.choice((1, 1, 2)))]
    return "---\n" + "\n".join(lines) + "\n---\n# A title\n\nA body.\n"


def _broken_front_matter(rng: Random) -> str:
    inner = rng.choice((
        nested(rng, 100_000), "[" * size(rng, 100_000), "{" * size(rng, 100_000),
        "- " * size(rng, 100_000),
        "title: &a [*a]", f"title: {aliases(9)}", f"x: {json_value(rng)}", "title: x\ntitle: y",
        "a\nb: c\n d", "%YAML 9.9",
        "title: x\n" * size(rng), "title: " + "x" * size(rng, 200_000),
        "a: |\n" + " x\n" * size(rng, 20_000), "---\n---",
        '{"title": "json"}', 'title = "toml"', "\ttitle: x", "title:x",
        "title: !!python/name:os.system x", plain_text(rng),
        "".join(f"k{number}: {number}\n" for number in range(size(rng, 5_000))), "null", "[]", "x", "'",
        "\x00",
    ))  # fmt: skip
    begins, ends = (
        rng.choice(
            ("---\n", "---\n", "---\r\n", "--- \n", "+++\n", ";;;\n", "\ufeff---\n", "\n---\n")
        ),
        (rng.choice(("\n---\n", "\n---\n", "\n---", "\n...\n", "\n----\n", "", "\n --- \n"))),
    )
    return begins + inner + ends + rng.choice(("A body.\n", "", "\n", "---\n" * size(rng)))


def _heading(rng: Random) -> str:
    inner, n = (
        rng.choice(("x", " ", "#", "# ", "\t", "\u00a0", "a #", "\\#", "\r", "\x0b")),
        size(rng, 20_000),
    )
    line = (
        rng.choice(("#", "# ", "#\t", "##", " #", "#\u3000", "=\n#"))
        + inner * n
        + rng.choice(("x", "#", " #", "\n", ""))
    )
    return rng.choice(
        (line, f"{line}\nA body.\n", (line[:200] + "\n") * size(rng, 300), f"x\n\n{line}")
    )


def _body(rng: Random) -> str:
    unit = rng.choice((*UNITS, *ESCAPES))
    return rng.choice((
        unit * size(rng, 30_000), text(rng, 30_000), f"# {rng.choice(ESCAPES)}\n\n{rng.choice(ESCAPES)}",
        f"# T\n\n{unit * size(rng, 30_000)}", f"{unit}\n" * size(rng, 5_000),
        "".join(f"{n} " for n in range(size(rng, 5_000))),
    ))  # fmt: skip
