"""The tokens that answer a prompt, and the last layer for them alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from relabel_assets.errors import StudentError
from relabel_assets.student.decoder.decoder import Decoder
from relabel_assets.student.decoder.grade_tokens import grade_tokens
from relabel_assets.student.decoder.next_token import one_answer
from relabel_assets.student.decoder.prompt import student_prompt
from relabel_assets_tests.student.decoder.random_decoders import DIGITS, decoder_model, prompts
from relabel_assets_tests.student.tiny_models import RUBRIC, save_decoder, tokenizer

pytestmark = pytest.mark.slow


def sentence_pieces(*joined: str) -> Callable[[str], list[int]]:
    """A tokenizer as Llama 2's: a space is a ▁ of its own, unless `joined` has it with its letter."""
    letters = ["<unk>", "▁", "\n", *map(chr, range(33, 127))]
    vocabulary = {token: number for number, token in enumerate([*letters, *joined])}
    merges = [(token[0], token[1]) for token in joined]
    pieces = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>"))
    pieces.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    return lambda text: pieces.encode(text).ids


def test_a_space_before_a_digit_is_part_of_the_prompt_where_it_is_a_token() -> None:
    token_ids = sentence_pieces()
    digits = [token_ids(f":{digit}")[-1] for digit in range(4)]
    for prompt in ("Grade:\n", "Grade: ", "Grade:"):
        assert grade_tokens(token_ids, prompt, 4, "m") == tuple(digits)


def test_a_digit_that_joins_the_prompts_last_letter_is_refused() -> None:
    token_ids = sentence_pieces("▁3")
    assert len(grade_tokens(token_ids, "Grade:\n", 4, "m")) == 4
    with pytest.raises(StudentError, match="no token of its own for the grade 3 after the prompt"):
        grade_tokens(token_ids, "Grade: ", 4, "m")
    # One token more, and the prompt's last token is another one: "t", "ab" becomes "t", "a", "b3".
    with pytest.raises(StudentError, match="for the grade 3 after the prompt"):
        grade_tokens(sentence_pieces("b3", "ab"), "tab", 4, "m")


def test_a_grade_of_two_tokens_is_refused() -> None:
    with pytest.raises(StudentError, match=r"for the grade 10 .* a rubric of grades from 0 to 9"):
        grade_tokens(sentence_pieces(), "Grade:\n", 11, "m")


def test_a_special_token_that_ends_a_text_is_no_part_of_a_prompt(tmp_path: Path) -> None:
    base = save_decoder(tmp_path, "llama")
    tokenizer("encoder").save_pretrained(base)  # [CLS] before a text and [SEP] after it
    decoder = Decoder.load(str(base), 48, student_prompt(RUBRIC), 4)
    ids = decoder.tokenize([{"text": "leave", "body": "Rules."}])[0]["input_ids"]
    text = decoder.tokenizer.decode(ids)
    assert text.startswith("[CLS]You grade")
    assert text.endswith("\nGrade:\n")


def test_a_model_whose_tokenizer_has_no_digits_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    base = save_decoder(tmp_path, "llama")
    words = Tokenizer(models.WordLevel({"<unk>": 0, "grade": 1}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").save_pretrained(base)
    with pytest.raises(StudentError, match="no token of its own for the grade 1"):
        Decoder.load(str(base), 48, student_prompt(RUBRIC), 4)


@pytest.mark.parametrize(
    "name", ["llama", "gemma3"]
)  # Gemma scales its logits after the last layer
@torch.inference_mode()
def test_logits_of_the_grades_are_those_of_the_whole_vocabulary(name: str) -> None:
    model = decoder_model(name)
    ids = torch.tensor([row["input_ids"] for row in prompts(9, 9, 9)])
    last = torch.tensor([28, 3, 11])
    expected = model(ids).logits[torch.arange(3), last][:, list(DIGITS)]
    with one_answer(model, DIGITS, last):
        logits: Any = model(ids).logits
    assert logits.shape == (3, 1, len(DIGITS))
    assert torch.allclose(logits[:, 0], expected, atol=1e-5)
    assert model(ids).logits.shape == (3, 29, model.config.vocab_size), "as it was"
