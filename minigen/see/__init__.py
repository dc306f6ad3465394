"""Seeing inside: what is computed of what (`draw`), where the time goes (`profile`). Both only listen to the engine."""

from minigen.see.draw import Drawing, draw
from minigen.see.profile import Profile, profile

__all__ = ["Drawing", "Profile", "draw", "profile"]
