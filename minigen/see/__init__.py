"""Seeing inside: where the time goes (`profile`); by listening to the engine alone (minigen/autograd/observe.py)."""

from minigen.see.profile import Profile, profile

__all__ = ["Profile", "profile"]
