"""Cut prompts: did the endpoint read the whole prompt, or silently drop a part of it?

What belongs here: the least number of tokens that a text can have, and its comparison with the count
in a reply's usage. What does not: estimates for prices and limits (requests.py), and what follows
(sending/context.py).

Ollama cuts a prompt that is longer than its context, and answers as if nothing had happened. Its reply
tells so by `usage` alone: prompt_tokens has what was left. A grade of a cut prompt is no grade: the
model may have read half of the document, or no rubric.

There is no tokenizer here, and models differ. But no tokenizer in use makes one token of two words, of
a word and a comma, or of a word and a number. So each of them counts as one token, and the sum is a
count that no tokenizer goes below. English has 1.1 to 1.4 times as many tokens. Measured over 9,360
prompts in 17 languages, code, logs and numbers with 6 tokenizers of large models: no whole prompt is taken
for a cut one. Of 6,062 that were cut to half a context 92 % are seen, and of those that were cut to a whole
one 98 %; the others are in scripts that the tokenizer splits into bytes
(`python -m relabel_assets_tests.benchmarks.cut_prompts`). A ratio learned from other prompts would see
more, and would take documents in another language for cut ones.
"""

from collections.abc import Iterator, Mapping
from typing import Any

# What to do about a cut prompt.
RAISE_THE_CONTEXT = (
    "raise its context (Ollama: OLLAMA_CONTEXT_LENGTH, or num_ctx in a Modelfile) or lower "
    "teacher.max_document_tokens. If its usage does not count tokens: teacher.is_prompt_checked: false"
)
# No server that we know offers a shorter context: Ollama's shortest is 2,048, of which it keeps half or
# all. Shorter prompts are not judged, and so an odd count in the usage of a short prompt is no matter.
_SHORTEST_CONTEXT = 1000
# Of UTF-8. Endpoints without a tokenizer estimate bytes / 4, also of numbers and code, which have more
# tokens. So no whole prompt is expected to have more than this.
_BYTES_PER_TOKEN = 4.2
# A smaller count is no context, but a constant of a server that does not count, or a prompt that the
# server has in its cache and did not read again.
_LEAST_COUNT = 256
# Contexts are mostly whole multiples of this. A prompt has such a length by chance once in 1,024 times.
_CONTEXT_STEP = 1024
# A prompt with fewer words is not so long: ordinary text has 1.1 to 3 tokens a word. Measured: 7 at most,
# in a script that the tokenizer does not know.
_MOST_TOKENS_RATIO = 4
# Members of a usage that Anthropic and its proxies count apart from the prompt's tokens.
_COUNTED_APART = ("cache_read_input_tokens", "cache_creation_input_tokens")
# Tokens of a Chinese, Japanese or Korean character: words have no end there. Measured: 0.54 at least.
_TOKENS_PER_CJK_CHARACTER = 0.5
# Tokens of a Cyrillic, Greek, Hebrew or Arabic word. Measured: 1.5 at least.
_TOKENS_PER_OTHER_WORD = 1.4


def _class_of(byte: int) -> str:
    """The class of a byte of UTF-8, by the character that it is or begins."""
    character = chr(byte)
    if 0xCE <= byte <= 0xDB:
        return "O"  # Greek, Cyrillic, Armenian, Hebrew, Arabic
    if 0xE3 <= byte <= 0xED:
        return "C"  # Chinese, Japanese, Korean
    if byte >= 0x80 or character.isalpha() or character == "'":
        return "L"  # an apostrophe may be in one token with its word
    if character.isdigit():
        return "D"
    return "N" if character == "\n" else "S" if byte <= 0x20 else "P"


_CLASSES = "".join(map(_class_of, range(256))).encode()
# Pairs of classes where a token begins or ends. A mark before a letter may be in one token with it.
_WORD_STARTS = (b"SL", b"PL", b"DL", b"NL")
_OTHER_WORD_STARTS = (b"SO", b"PO", b"DO", b"NO")
_NUMBER_STARTS = (b"SD", b"PD", b"LD", b"ND")
_MARK_ENDS = (b"PS", b"PD", b"PN")
_LINE_ENDS = (b"LN", b"DN")
# The longest run of letters and of digits that counts as one token. Measured: 16 of the same letter.
_LONG_RUNS = (b"L" * 24, b"D" * 12)


def fewest_tokens(text: str) -> int:
    """The least number of tokens that `text` has, whatever the tokenizer.

    >>> fewest_tokens("Annual leave, in days: 28")
    7
    """
    classes = b"S" + text.encode("utf-8", "replace").translate(_CLASSES) + b"S"
    starts_and_ends = _WORD_STARTS + _NUMBER_STARTS + _MARK_ENDS + _LINE_ENDS + _LONG_RUNS
    return int(
        sum(map(classes.count, starts_and_ends))
        + _TOKENS_PER_OTHER_WORD * sum(map(classes.count, _OTHER_WORD_STARTS))
        + _TOKENS_PER_CJK_CHARACTER * classes.count(b"C")
    )


def tokens_read(body: Any) -> int | None:
    """The prompt's tokens that the endpoint read, by the usage in the body of its reply.

    Tokens from a cache count: they were read earlier. None for a usage that tells nothing.

    >>> tokens_read({"usage": {"prompt_tokens": 2050, "completion_tokens": 20}})
    2050
    >>> tokens_read({"usage": {"prompt_tokens": 300, "cache_read_input_tokens": 1900}})
    2200
    >>> tokens_read({"usage": {"prompt_tokens": 0}}) is None
    True
    """
    usage = body.get("usage") if isinstance(body, Mapping) else None
    if not isinstance(usage, Mapping):
        return None
    counts = [usage.get("prompt_tokens", usage.get("input_tokens"))]
    counts += [usage.get(name, 0) or 0 for name in _COUNTED_APART]
    if any(isinstance(count, bool) or not isinstance(count, int) for count in counts):
        return None
    n_read = sum(counts)
    return n_read if n_read >= _LEAST_COUNT else None


def why_cut(request: Mapping[str, Any], body: Any, largest_count: int = 0) -> str | None:
    """The reason to believe that the endpoint cut the prompt of a request; None if there is none.

    `request` and `body` are the bodies of the request and of the reply. `largest_count`: the most
    prompt tokens that the same model and endpoint ever counted.

    >>> request = {"messages": [{"role": "user", "content": "leave " * 2000}]}
    >>> why_cut(request, {"usage": {"prompt_tokens": 2049}}) is None
    True
    >>> why_cut(request, {"usage": {"prompt_tokens": 1026}})
    'the endpoint read 1,026 of at least 2,000 tokens of the prompt'
    >>> why_cut(request, {"usage": {"prompt_tokens": 2048}}, largest_count=2048)
    'the endpoint read exactly 2,048 tokens of the prompt, and never more of any prompt'
    """
    n_read = tokens_read(body)
    if n_read is None:
        return None
    texts = list(_texts(request))
    n_bytes = sum(len(text.encode("utf-8", "replace")) for text in texts)
    n_fewest = min(sum(map(fewest_tokens, texts)), int(n_bytes / _BYTES_PER_TOKEN))
    if n_fewest < _SHORTEST_CONTEXT:
        return None
    if n_read < n_fewest:
        return f"the endpoint read {n_read:,} of at least {n_fewest:,} tokens of the prompt"
    if n_read % _CONTEXT_STEP == 0 and largest_count <= n_read < _MOST_TOKENS_RATIO * n_fewest:
        return f"the endpoint read exactly {n_read:,} tokens of the prompt, and never more of any prompt"
    return None


def _texts(request: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a prompt: of the messages, or the input and the questions of Decisions.

    A question that was asked with others is judged by the usage of all: less is seen then.
    """
    if "messages" in request:
        yield from (message["content"] for message in request["messages"])
    else:
        yield request["input"]
        yield from (question["instructions"] for question in request["questions"])
