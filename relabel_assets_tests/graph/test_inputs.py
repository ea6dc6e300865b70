"""Hashes of inputs: what changes them, and how a change is named."""

from relabel_assets.graph.inputs import Inputs


def test_the_order_of_settings_changes_no_hash() -> None:
    one = Inputs({"settings": {"teacher": {"model": "m", "seed": 1}}})
    other = Inputs({"settings": {"teacher": {"seed": 1, "model": "m"}}})
    assert (one.hash, one.parts) == (other.hash, other.parts)


def test_the_order_inside_a_list_counts() -> None:
    assert Inputs({"panel": ["a", "b"]}).hash != Inputs({"panel": ["b", "a"]}).hash


def test_each_setting_has_a_short_hash_by_its_name() -> None:
    parts = Inputs({"settings": {"teacher": {"model": "m"}}, "code": "1"}).parts
    assert set(parts) == {"settings teacher.model", "code"}
    assert all(len(short) == 12 for short in parts.values())
