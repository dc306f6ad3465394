"""Advice is given once, at the user's line, and can be switched off."""

import warnings

import pytest

from minigen import advice
from minigen.config import config


def test_given_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(advice, "given", set())
    with pytest.warns(advice.Advice, match="do that") as found:
        advice.advise("key", "do that")
        advice.advise("key", "do that")
        advice.advise("other", "do that too")
    assert len(found) == 2
    assert found[0].filename == __file__


def test_can_be_switched_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(advice, "given", set())
    monkeypatch.setattr(config, "advice", False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        advice.advise("key", "do that")
    assert not advice.given
