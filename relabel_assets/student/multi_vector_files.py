"""The files by which sentence-transformers reads a late-interaction student's folder.

What belongs here: these files, as MultiVectorEncoder of sentence-transformers 6 reads them. What does not:
the weights, which are those of the folder (folder.py, late_interaction/student.py).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_MODULES = "sentence_transformers.base.modules"
_MASK = "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask"
_TOKENS = "token_embeddings"


def write_multi_vector_files(
    folder: Path, document_encoder: str, special_tokens: Sequence[str]
) -> None:
    """Write the files into `folder`, the query encoder, and into its folder `document_encoder`.

    The vectors are the student's: of length 1, without special tokens. A similarity is the mean over the
    query's tokens, without the student's weights of tokens.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "document_encoder").mkdir()
    ...     write_multi_vector_files(Path(folder), "document_encoder", ["[CLS]", "[SEP]"])
    ...     sorted(str(file.relative_to(folder)) for file in Path(folder).rglob("*.json"))[:2]
    ['1_MultiVectorMask/config.json', '2_Normalize/config.json']
    """
    encoder = f"{_MODULES}.transformer.Transformer"
    module = {
        "transformer_task": "feature-extraction",
        "modality_config": {
            "text": {"method": "forward", "method_output_name": "last_hidden_state"}
        },
        "module_output_name": _TOKENS,
    }
    files: dict[str, Any] = {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{_MODULES}.router.Router"},
            {"idx": 1, "name": "1", "path": "1_MultiVectorMask", "type": _MASK},
            {
                "idx": 2,
                "name": "2",
                "path": "2_Normalize",
                "type": f"{_MODULES}.normalize.Normalize",
            },
        ],
        "config_sentence_transformers.json": {
            "model_type": "MultiVectorEncoder",
            "prompts": {"query": "", "document": ""},
            "default_prompt_name": None,
            "similarity_fn_name": "meanmaxsim",
        },
        "router_config.json": {
            "types": {".": encoder, document_encoder: encoder},
            "structure": {"query": ["."], "document": [document_encoder]},
            "parameters": {
                "default_route": "document",
                "allow_empty_key": True,
                "route_mappings": {},
            },
        },
        "sentence_bert_config.json": module,
        f"{document_encoder}/sentence_bert_config.json": module,
        "1_MultiVectorMask/config.json": {
            "skiplist_words": list(special_tokens),
            "skiplist_tasks": ["query", "document"],
        },
        "2_Normalize/config.json": {"module_input_name": _TOKENS, "module_output_name": _TOKENS},
    }
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content, indent=1), encoding="utf-8")
