"""Records conversations in wrtn from a websocket server in Python; README.md says how."""

from .answer import Answer
from .errors import Broken, EndReason, FrameRejected, RecordingEnded, TooManyPending
from .frames import Extras, Verbatim
from .recorder import Recorder
from .recording import Recording
from .tokens import Tokens, service_tokens
from .usage import token_usage
from .values import Bounds, Event, Opening, Stored

__all__ = [
    "Answer",
    "Bounds",
    "Broken",
    "EndReason",
    "Event",
    "Extras",
    "FrameRejected",
    "Opening",
    "Recorder",
    "Recording",
    "RecordingEnded",
    "Stored",
    "Tokens",
    "TooManyPending",
    "Verbatim",
    "service_tokens",
    "token_usage",
]
