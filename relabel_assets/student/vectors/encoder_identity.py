"""The identity of an encoder: a hash of all that its vectors depend on, beside the text.

What belongs here: this hash, under which the store keeps vectors. What does not: the text's own hash
(packed_document.py), and the identity of a student (student/identity.py). Imported only where a model
is needed: it loads torch.

Encoders with one identity compute the same vectors of a text, to the last bit on a CPU. So the hash has
the weights, the tokenizer, the settings, and what computes: number format, device, fused layers and
versions of libraries. All students on a base share the base's vectors, because a student saves the base
as its encoder of documents. One whose encoder of documents was trained has an identity of its own.
"""

import hashlib
import json
import platform
from importlib.metadata import version
from typing import Any

import torch

from relabel_assets.student.runtime.batches import device
from relabel_assets.student.runtime.encoder import Encoder
from relabel_assets.student.runtime.fused_bert import can_fuse
from relabel_assets.student.runtime.precision import weights_version
from relabel_assets.student.vectors.packed_document import LAYOUT

# Counts up when the code of runtime/encoder.py or late_interaction/documents.py computes other vectors or
# words from the same texts.
_ENCODING = 1
# Of config.json: they say where a model is from, and change when it is saved again.
_OF_THE_FILE = {"_name_or_path", "architectures", "dtype", "transformers_version"}
# Of a tokenizer: the settings of its last call. Encoder.token_ids asks for neither.
_OF_A_CALL = {"padding", "truncation"}


def encoder_identity(encoder: Encoder) -> str | None:
    """The identity of `encoder`, in 32 hexadecimal digits.

    None where its tokenizer cannot be hashed: then nothing may be kept. 100 MB of weights take a tenth of
    a second, once until something of the encoder changes.

    >>> from relabel_assets.student.base import base_path
    >>> from relabel_assets.student.runtime.encoder import load_encoder
    >>> encoders = [load_encoder(base_path("embedded"), n, "fp32") for n in (192, 192, 96)]
    >>> of_192, again, of_96 = map(encoder_identity, encoders)
    >>> of_192 == again, of_192 == of_96
    (True, False)
    """
    state = (
        encoder.model,
        weights_version(encoder.model),
        encoder.tokenizer,
        encoder.max_length,
        encoder.inference.dtype,
    )
    if encoder.known_identity is None or encoder.known_identity[0] != state:
        encoder.known_identity = state, _identity(encoder)
    return encoder.known_identity[1]


def _identity(encoder: Encoder) -> str | None:
    backend = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    model: Any = encoder.model
    tokenizer = json.loads(backend.to_str())
    settings = {
        "layout": LAYOUT,
        "encoding": _ENCODING,
        "model": type(model).__name__,
        "config": _without(model.config.to_dict(), _OF_THE_FILE),
        "tokenizer": _without(tokenizer, _OF_A_CALL),
        "special": [encoder.tokenizer.pad_token_id, *encoder.tokenizer.all_special_ids],
        "max_length": encoder.max_length,
        "dtype": str(encoder.inference.dtype),
        "is_fused": can_fuse(model, encoder.inference.dtype),
        "runs_on": _runs_on(),
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, weights in sorted(model.state_dict().items()):
        digest.update(f"{name} {weights.dtype} {tuple(weights.shape)} ".encode())
        digest.update(weights.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:32]


def _without(settings: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}


def _runs_on() -> list[str]:
    """What multiplies matrices here: its last bits may be others elsewhere."""
    libraries = [f"{name} {version(name)}" for name in ("torch", "transformers", "tokenizers")]
    if device().type == "cuda":
        return [*libraries, torch.cuda.get_device_name()]
    cpu: Any = torch.cpu
    multiplies = (cpu._is_avx512_bf16_supported(), cpu._is_amx_tile_supported())
    capability = torch.backends.cpu.get_cpu_capability()
    return [*libraries, platform.machine(), capability, *map(str, multiplies)]
