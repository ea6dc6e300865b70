"""Prompt tokens and dollars of Decisions and of chat, for the same pairs.

    python -m relabel_assets_tests.benchmarks.decisions_cost [--pairs 800]

It grades pairs twice, each way against a local server that counts tokens by bytes. What it shows: how
many tokens each way sends, for documents of three lengths and different numbers of queries about one. What it
does not show: the tokens of a real tokenizer, and whether the grades are as good. Prices are those of
genai-prices. An answer of Decisions has no billed tokens, as at OpenAI; a chat's reply has the 60 that
`relabel estimate` assumes.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import decisions_prompt
from relabel_assets.teacher.estimate import ASSUMED_COMPLETION_TOKENS
from relabel_assets.teacher.prices import Usage, price_of
from relabel_assets.teacher.requests import estimate_prompt_tokens
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import crossed_pairs
from relabel_assets_tests.faults.decisions_server import DecisionsServer
from relabel_assets_tests.faults.teacher_server import TeacherServer, good_reply, true_grade

SENTENCE = "The quarterly review covers staffing, tooling and the on-call rota for the region. "
CHAT_MODELS = ("gpt-4o", "gpt-4o-mini")
# Characters of a document: a mail, a page, a long policy that is shown whole.
LENGTHS = (800, 3_000, 11_000)
QUERIES = (1, 3, 10, 40, 400)


def pairs_of(n_documents: int, n_queries: int, n_characters: int) -> pl.DataFrame:
    body = (SENTENCE * (n_characters // len(SENTENCE) + 1))[:n_characters]
    return crossed_pairs(n_documents, n_queries).with_columns(
        body=pl.format("Number {}. {}", "doc_id", pl.lit(body)),
        text=pl.format("{}: who owns the on-call rota of the region", "text"),
    )


def counted_by_bytes(body: dict[str, Any]) -> dict[str, Any]:
    reply = good_reply(true_grade(body))
    reply["usage"] |= {"prompt_tokens": estimate_prompt_tokens(body)}
    return reply


def tokens_of(pairs: pl.DataFrame, server: TeacherServer, api: str, prompt: Prompt | None) -> int:
    """Prompt tokens of grading `pairs` once, by the usage of the replies."""
    config = TeacherConfig.model_validate(
        {
            "kind": "openai", "api": api, "model": "gpt-6-luna", "base_url": server.base_url,
            "requests_per_minute": None, "tokens_per_minute": None,
        }
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        labels = Teacher(Path(folder)).grade(
            pairs, corpus="demo", config=config, rubric=default_rubric(), prompt=prompt
        )
    assert (labels["status"] == "ok").all()
    return int(labels["prompt_tokens"].sum())


def described_prompt() -> Prompt:
    """The project's prompt, with the meanings in each question's levels in place of the input."""
    own = decisions_prompt()
    texts = {"input": own.system.replace("{{grades}}", ""), "question": own.user}
    return decisions_prompt(json.dumps(texts))


def usd(model: str, api: str, n_prompt: float, n_completion: float) -> float:
    price = price_of(TeacherConfig.model_validate({"api": api, "model": model}), model)
    assert price is not None
    return price.cost_usd(Usage(round(n_prompt), round(n_completion)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=800, help="about so many for each row")
    arguments = parser.parse_args()
    os.environ["OPENAI_API_KEY"] = "none"
    chat, decisions = TeacherServer(), DecisionsServer()
    chat.behave = counted_by_bytes
    with chat.running(), decisions.running():
        for n_characters in LENGTHS:
            for n_queries in QUERIES:
                n_documents = max(1, arguments.pairs // n_queries)
                pairs = pairs_of(n_documents, n_queries, n_characters)
                n = pairs.height
                by_chat = tokens_of(pairs.head(20), chat, "openai", None) / 20
                together = tokens_of(pairs, decisions, "decisions", None) / n
                described = tokens_of(pairs, decisions, "decisions", described_prompt()) / n
                luna = usd("gpt-6-luna", "decisions", 1e6 * together, 0)
                row = {
                    "characters": n_characters,
                    "queries_a_document": n_queries,
                    "chat_tokens_a_pair": round(by_chat),
                    "decisions_tokens_a_pair": round(together),
                    "with_meanings_in_each_question": round(described),
                    "token_ratio": round(by_chat / together, 1),
                    "usd_per_million_pairs": round(luna, 2),
                }
                for model in CHAT_MODELS:
                    cost = usd(model, "openai", 1e6 * by_chat, 1e6 * ASSUMED_COMPLETION_TOKENS)
                    row[f"{model}_usd_ratio"] = round(cost / luna, 1)
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
