"""Seeing inside: what is computed of what (`draw`), where the time goes (`profile`), what is wrong (`check`).

All three only listen to the engine.
"""

from minigen.see.check import Report, check
from minigen.see.draw import Drawing, draw
from minigen.see.profile import Profile, profile

__all__ = ["Drawing", "Profile", "Report", "check", "draw", "profile"]
