"""The tokens of the grades, and a model's last layer for them alone.

What belongs here: which tokens answer a prompt, and their logits. What does not: the prompt
(decoder.py). Imported only where a model is needed: it loads torch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from relabel_assets.errors import StudentError


def grade_tokens(
    token_ids: Callable[[str], list[int]], prompt: str, n_grades: int, model: str
) -> tuple[int, ...]:
    """The token id of each grade's digit as the answer to `prompt`.

    `token_ids` tokenizes a text as prompts are; messages name the `model`. Raises StudentError where
    an answer is not one token after the prompt's own, each grade another: a tokenizer may have no
    token for a digit, or join it with the prompt's last letters.

    >>> letters = lambda text: [ord(letter) for letter in text]
    >>> grade_tokens(letters, "Grade: ", 4, "letters")
    (48, 49, 50, 51)
    >>> grade_tokens(lambda text: [len(text)], "Grade: ", 4, "words")
    Traceback (most recent call last):
    relabel_assets.errors.StudentError: the tokenizer of 'words' has no token of its own for the grade 0 ...
    """
    start = token_ids(prompt)
    tokens: list[int] = []
    for grade in range(n_grades):
        answered = token_ids(f"{prompt}{grade}")
        if len(answered) != len(start) + 1 or answered[:-1] != start or answered[-1] in tokens:
            raise StudentError(
                f"the tokenizer of {model!r} has no token of its own for the grade {grade} after "
                "the prompt, and a decoder answers with one token. Choose another base_model, "
                "or a rubric of grades from 0 to 9."
            )
        tokens.append(answered[-1])
    return tuple(tokens)


@contextmanager
def grades_alone(model: Any, tokens: Sequence[int], last: Tensor) -> Iterator[None]:
    """A context in which `model` computes the logits of `tokens` at the place `last` (B,) of each row.

    Its logits are (B, 1, len(tokens)) then, instead of one for each place and token of the vocabulary.
    They are in fp32: in bf16, grades would tie.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=9, intermediate_size=8, **sizes)).eval()
    >>> rows = torch.tensor([[1, 2, 3]])
    >>> with grades_alone(model, [4, 5], last=torch.tensor([1])):
    ...     logits = model(rows).logits
    >>> bool(torch.allclose(logits[:, 0], model(rows).logits[:, 1, [4, 5]], atol=1e-6))
    True
    """
    head, chosen = model.get_output_embeddings(), list(tokens)

    def grade_logits(hidden: Tensor) -> Tensor:
        at_last = hidden[torch.arange(len(hidden), device=hidden.device), last.to(hidden.device)]
        bias = None if getattr(head, "bias", None) is None else head.bias[chosen].float()
        with torch.autocast(hidden.device.type, enabled=False):
            logits = nn.functional.linear(at_last.float(), head.weight[chosen].float(), bias)
        return logits[:, None]

    head.forward = grade_logits  # in place of the class' own; a model's scaling of logits follows
    try:
        yield
    finally:
        del head.forward
