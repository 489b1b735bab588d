"""`headwater probe`: judge a presentation as a player meets it, by the numbered rules of specs/.

`look` fetches, within limits; `check` judges what was seen. Manifests are read by parsers of its
own: a judge shares no code with the writers it judges.
"""

from headwater.probe.client import Limits, ProbeError
from headwater.probe.model import LEVELS, Evidence, Finding
from headwater.probe.rules import RULES, check
from headwater.probe.walk import look

__all__ = ["LEVELS", "RULES", "Evidence", "Finding", "Limits", "ProbeError", "check", "look"]
