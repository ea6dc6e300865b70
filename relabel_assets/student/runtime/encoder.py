"""The encoder and its tokenizer: one vector for each token of a text.

What belongs here: loading weights, and encoding texts in batches. What does not: comparing vectors
(late_interaction/maxsim.py). Imported only where a model is needed: it loads torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from relabel_assets.errors import StudentError
from relabel_assets.intake.input_limits import MAX_DOCUMENT_FILE_BYTES
from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.one_input import INPUT_ERRORS, reason_of
from relabel_assets.student.runtime.batches import (
    batches_by_length,
    device,
    max_batch_tokens,
    padded_width,
)
from relabel_assets.student.runtime.precision import InferenceCopy

# Above those of all published models that a student could be.
_MAX_SIZES = {
    "num_hidden_layers": 500,
    "hidden_size": 100_000,
    "intermediate_size": 500_000,
    "vocab_size": 10_000_000,
}


@dataclass
class Encoder:
    """A transformer encoder: `model` maps token ids (B, T) to hidden states (B, T, H).

    `inference` returns the copy of `model` that encodes without gradients.
    """

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    inference: InferenceCopy = field(default_factory=InferenceCopy)
    # The identity of its vectors, and of which weights: see vectors/encoder_identity.py.
    known_identity: tuple[object, str | None] | None = field(default=None, repr=False)

    @property
    def width(self) -> int:
        """H, the size of a token's vector."""
        return int(self.model.config.hidden_size)  # type: ignore[union-attr, arg-type]

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text with special tokens, uncut: `pieces` cuts them to max_length."""
        return self.tokenizer(
            list(texts), add_special_tokens=True, truncation=False, verbose=False
        )["input_ids"]

    def words(self, texts: Sequence[str]) -> list[list[int]]:
        """The word pieces of each text: its token ids without special tokens."""
        return self.tokenizer(
            list(texts), add_special_tokens=False, truncation=False, verbose=False
        )["input_ids"]

    def pieces(self, ids: Sequence[int]) -> list[list[int]]:
        """`ids` as rows of at most max_length, each with the first and last special token of `ids`."""
        if len(ids) <= self.max_length:
            return [list(ids)]
        first, *inner, last = ids
        step = self.max_length - 2
        return [[first, *inner[start : start + step], last] for start in range(0, len(inner), step)]

    def forward(self, rows: Sequence[Sequence[int]], model: Any = None) -> tuple[Tensor, Tensor]:
        """Unit token vectors (B, T, H), and the mask (B, T) of tokens that are not special.

        `model` computes them in place of this encoder's own.
        """
        model = self.model if model is None else model
        lengths = torch.tensor([len(row) for row in rows])
        longest = padded_width(int(lengths.max()), self.max_length)
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])  # (B, T)
        attention = torch.arange(longest) < lengths[:, None]
        model_device = next(model.parameters()).device
        output = model(
            input_ids=ids.to(model_device), attention_mask=attention.long().to(model_device)
        )
        hidden = output.last_hidden_state.float().cpu()  # (B, T, H)
        special = torch.tensor(self.tokenizer.all_special_ids)
        is_word = attention & ~torch.isin(ids, special)
        # A text of special tokens alone keeps them, because it must have a vector.
        is_word = torch.where(is_word.any(dim=1, keepdim=True), is_word, attention)
        return nn.functional.normalize(hidden, dim=-1), is_word

    @torch.inference_mode()
    def encode(
        self, texts: Sequence[str], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Tensor]:
        """The unit token vectors of each text, (tokens, H), in the order given.

        `progress` is called with the number of finished rows, and of all: a long text has several.
        """
        rows = [
            (text, piece)
            for text, ids in enumerate(self.token_ids(texts))
            for piece in self.pieces(ids)
        ]
        parts: list[list[tuple[int, Tensor]]] = [[] for _ in texts]
        done, model = 0, self.inference(self.model)
        for batch in batches_by_length([len(ids) for _, ids in rows], max_batch_tokens()):
            vectors, is_word = self.forward([rows[row][1] for row in batch], model)
            by_row = vectors[is_word].split(is_word.sum(dim=1).tolist())
            for row, row_vectors in zip(batch, by_row, strict=True):
                parts[rows[row][0]].append((row, row_vectors))
            done += len(batch)
            progress(done, len(rows))
        for text_parts in parts:
            text_parts.sort(key=lambda part: part[0])  # by row
        # torch.cat copies even a single piece: a view would keep its whole batch in memory.
        return [torch.cat([vectors for _, vectors in text_parts]) for text_parts in parts]


def load_encoder(path: str, max_length: int, precision: str = "auto") -> Encoder:
    """The encoder and tokenizer of `path`, a folder or a hub name.

    Raises StudentError where they cannot be loaded.

    >>> from relabel_assets.student.base import base_path
    >>> encoder = load_encoder(base_path("embedded"), max_length=192, precision="fp32")
    >>> [vectors.shape for vectors in encoder.encode(["parental leave"])]
    [torch.Size([2, 384])]
    """
    model, tokenizer, _ = load_model(AutoModel, path)
    max_tokens = min(max_length, max_tokens_of(model, max_length))
    return Encoder(model, tokenizer, max_tokens, InferenceCopy(precision))


def load_model(
    kind: Any, path: str, *, dtype: torch.dtype = torch.float32, **options: Any
) -> tuple[Any, Any, set[str]]:
    """The model of `path` as a transformers Auto class, its tokenizer, and its missing weights.

    `path` is a folder or a hub name. Missing weights are given by name: the model has random ones.
    Only safetensors are read, and code from `path` is never run. Raises StudentError where the
    model cannot be loaded.

    >>> from relabel_assets.student.base import base_path
    >>> model, tokenizer, missing = load_model(AutoModel, base_path("embedded"))
    >>> type(model).__name__, missing
    ('BertModel', set())
    """
    transformers_logging.disable_progress_bar()  # it would interrupt our own progress
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # our own messages cover the warning of a fresh head
    try:
        _require_size(Path(path) / "config.json")
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        model, loading = _pretrained(
            kind, path, use_safetensors=True, trust_remote_code=False, dtype=dtype,
            output_loading_info=True, **options,
        )  # fmt: skip
    except INPUT_ERRORS as error:  # libraries raise anything for damaged files
        raise StudentError(
            f"the model {path!r} cannot be loaded: {reason_of(error)}. `base_model` must "
            "be 'embedded', a folder with config.json, tokenizer and model.safetensors, or a name "
            "on the hub. A damaged student is trained again when its folder is removed."
        ) from error
    finally:
        transformers_logging.set_verbosity(level)
    return model.eval().to(device()), tokenizer, set(loading["missing_keys"])


def _pretrained(kind: Any, path: str, **options: Any) -> Any:
    """`kind.from_pretrained` with torch's attention, or the model's own where it has no other (DeBERTa).

    It is named in both cases: a config.json may name a kernel, which would be downloaded and run.
    """
    try:
        return kind.from_pretrained(path, attn_implementation="sdpa", **options)
    except ValueError as error:
        if "scaled_dot_product_attention" not in str(error):
            raise
        return kind.from_pretrained(path, attn_implementation="eager", **options)


def _require_size(config: Path) -> None:
    """Raise ValueError for a config.json of a model that would fill the memory before it is loaded."""
    if config.is_file() and config.stat().st_size <= MAX_DOCUMENT_FILE_BYTES:
        settings = parse_json(config.read_bytes())
        for name, most in _MAX_SIZES.items():
            size = settings.get(name, 0) if isinstance(settings, dict) else 0
            if isinstance(size, int | float) and size > most:
                raise ValueError(f"{name} is {size:,}, more than {most:,}")


def max_tokens_of(model: Any, otherwise: int) -> int:
    """The most tokens that `model` reads, special ones included, or `otherwise` without a limit.

    >>> from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel
    >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    >>> max_tokens_of(BertModel(BertConfig(**sizes, max_position_embeddings=512)), 64)
    512
    >>> max_tokens_of(XLMRobertaModel(XLMRobertaConfig(**sizes, max_position_embeddings=514)), 64)
    512
    """
    limit = int(getattr(model.config.get_text_config(), "max_position_embeddings", otherwise))
    embeddings = getattr(getattr(model, model.base_model_prefix, model), "embeddings", None)
    positions = getattr(embeddings, "position_embeddings", None)
    padding = getattr(positions, "padding_idx", None)
    # RoBERTa and its like number positions from after the id of the padding token.
    return limit if padding is None else limit - padding - 1
