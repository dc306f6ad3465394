"""Seeing inside: what is computed of what (`draw`), where a number comes from (`explain`),
where the time goes (`profile`), what is wrong (`check`).

All of them only listen to the engine.
"""

from minigen.see.check import check
from minigen.see.draw import Drawing, draw
from minigen.see.examination import Report
from minigen.see.explain import Explanation, explain
from minigen.see.notebook import attach
from minigen.see.profile import Profile, profile

__all__ = ["Drawing", "Explanation", "Profile", "Report", "check", "draw", "explain", "profile"]

attach()
