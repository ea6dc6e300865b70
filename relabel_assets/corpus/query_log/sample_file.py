"""The file of a sample of queries: a queries.jsonl with weights.

What belongs here: its rows. What does not: the draw (draw_queries.py), and reading queries (corpus/queries/).
"""

import json
from collections.abc import Sequence
from pathlib import Path

from relabel_assets import files
from relabel_assets.corpus.query_log.draw_queries import DrawnQuery
from relabel_assets.errors import ConfigError
from relabel_assets.intake.one_input import reason_of


def write_sample(queries: Sequence[DrawnQuery], out: Path, *, split: str | None = None) -> None:
    """Write `queries` to `out`, whole or not at all: a JSON object a line. Raises ConfigError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = Path(folder) / "queries.jsonl"
    ...     write_sample([DrawnQuery("log-1", "vpn", "head", 9, 0.5, 18.0)], out, split="label")
    ...     print(out.read_text().strip())
    {"query_id": "log-1", "text": "vpn", "split": "label", "stratum": "head", "weight": 18.0, \
"n_searches": 9, "inclusion_prob": 0.5}
    """
    try:
        with files.whole(out) as scratch, scratch.open("w", encoding="utf-8") as lines:
            for query in queries:
                row = {
                    "query_id": query.query_id,
                    "text": query.text,
                    **({"split": split} if split else {}),
                    "stratum": query.stratum,
                    "weight": round(query.weight, 6),
                    "n_searches": query.n_searches,
                    "inclusion_prob": query.inclusion_prob,
                }
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ConfigError(
            f"--out {out} cannot be written: {reason_of(error)}. Choose another --out."
        ) from error
