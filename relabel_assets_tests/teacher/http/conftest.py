"""Tests of this folder have the key of their servers in the environment."""

import pytest

from relabel_assets_tests.builders import KEY


@pytest.fixture(autouse=True)
def key_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
