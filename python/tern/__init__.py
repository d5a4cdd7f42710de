"""Trains small RNN, GRU and LSTM models, and runs them in integer arithmetic, bit for bit as on a microcontroller.

>>> import tern
>>> model = tern.train("messages.csv", epochs=10)
>>> model.predict("free prize, call now")
'spam'
>>> device = model.export("spam.safetensors")
>>> device.predict("free prize, call now")
'spam'

Notes of a training go to the logger "tern"; figures of each epoch to the callbacks.
"""

import signal
import sys
from typing import TYPE_CHECKING, Any

from ._convert import from_keras, from_onnx, from_torch
from ._models import DeviceModel, Model, Session
from ._tern import TernError, __version__, main
from ._training import fit, train

if TYPE_CHECKING:
    from ._sklearn import TernClassifier

__all__ = [
    "DeviceModel",
    "Model",
    "Session",
    "TernClassifier",
    "TernError",
    "__version__",
    "fit",
    "from_keras",
    "from_onnx",
    "from_torch",
    "train",
]


def __getattr__(name: str) -> Any:
    # scikit-learn is imported when it is first needed: it is large, and not everybody has it.
    if name == "TernClassifier":
        from ._sklearn import TernClassifier

        return TernClassifier
    raise AttributeError(f"module 'tern' has no attribute {name!r}")


def _main() -> int:
    """Runs the command `tern`."""
    # The command handles Ctrl-C by itself; Python's handler would wait for Python code that is not running.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return main(["tern", *sys.argv[1:]])
