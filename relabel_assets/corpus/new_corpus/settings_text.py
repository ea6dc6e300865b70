"""The corpus.yaml of a new corpus: every common setting as a comment, and no teacher.

What belongs here: that text. What does not: what settings mean (corpus/config/config.py).
"""

import json

_TEXT = """\
# Settings of this corpus. Every line is optional; `docs/corpus-yaml.md` has them all.
name: {name}
description: {description}

# The teacher grades pairs of query and document, and writes queries where the corpus has none. Without
# one, nothing is sent to anybody. To switch it on, remove the # signs and set OPENAI_API_KEY:
# teacher:
#   kind: openai                 # any compatible endpoint: base_url: http://127.0.0.1:8000/v1
#   model: {model}
#   budget_usd: 5.0              # a run stops there
#   redact: [secrets, emails, phone_numbers]

# What the teacher writes, where there is no queries.jsonl:
# queries:
#   seed_documents: 70
#   per_document: 3

# Documents that are graded for each query:
# candidates: {{bm25_top_k: 10, random: 2}}
"""
_KIND = """
# Who gave the reference grades: human, or adjudicated (by models).
# reference: {kind: human}
"""


def settings_text(name: str, description: str, model: str, *, has_reference: bool = False) -> str:
    """The text for a corpus `name`; `model` is named as an example of a teacher.

    >>> import yaml
    >>> yaml.safe_load(settings_text("wiki", "From: a folder", "gpt-4o-mini"))
    {'name': 'wiki', 'description': 'From: a folder'}
    """
    text = _TEXT.format(
        name=name, description=json.dumps(description, ensure_ascii=False), model=model
    )
    return text + (_KIND if has_reference else "")
