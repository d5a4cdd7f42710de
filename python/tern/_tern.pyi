from collections.abc import Callable, Sequence
from os import PathLike
from typing import final

__all__ = [
    "Model",
    "Session",
    "TernError",
    "__version__",
    "export",
    "fit",
    "import_model",
    "main",
    "train",
    "write_report",
]

__version__: str

class TernError(ValueError): ...

@final
class Model:
    def __new__(cls, path: str | PathLike[str]) -> Model: ...
    @property
    def config(self) -> str: ...
    @property
    def scratch_bytes(self) -> int | None: ...
    @property
    def tokens(self) -> list[str]: ...
    def encode(self, text: str) -> tuple[list[int], list[int]]: ...
    def classify(self, texts: Sequence[str]) -> tuple[bytes, list[bool]]: ...
    def classify_values(self, values: bytes, lengths: Sequence[int]) -> tuple[bytes, list[bool]]: ...
    def forecast(self, table: str | PathLike[str]) -> str: ...
    def evaluate(
        self, data: str | PathLike[str], text_column: str | None, label_column: str | None
    ) -> str: ...
    def session(self, steps: int) -> Session: ...

@final
class Session:
    def feed(self, text: bytes) -> None: ...
    def feed_values(self, values: bytes) -> None: ...
    def finish(self) -> None: ...
    def logits(self) -> list[int]: ...
    def reset(self) -> None: ...
    @property
    def tokens(self) -> int: ...
    @property
    def unknown(self) -> int: ...

def main(arguments: Sequence[str]) -> int: ...
def train(
    input: str | PathLike[str],
    output: str | PathLike[str],
    keys: str,
    baselines: bool,
    resume: bool,
    checkpoint_seconds: int,
    tensorboard: str | PathLike[str] | None,
    callback: Callable[[str], None],
) -> tuple[str | None, BaseException | None]: ...
def fit(
    input: str | PathLike[str],
    output: str | PathLike[str],
    flash: str,
    ram: str | None,
    max_instructions: int | None,
    time: str | None,
    trials: int,
    resume: bool,
    keys: str,
    callback: Callable[[str], None],
) -> tuple[str | None, BaseException | None]: ...
def export(
    model: str | PathLike[str],
    output: str | PathLike[str],
    data: str | PathLike[str] | None,
    golden: str | PathLike[str] | None,
    packing: str | None,
    embedding_bits: int | None,
    recurrent_bits: int | None,
    fold: str | None,
    refuse_share: float | None,
    refuse_label: str | None,
    c_array: str | PathLike[str] | None,
) -> str: ...
def write_report(model: str | PathLike[str], output: str | PathLike[str]) -> None: ...
def import_model(
    weights: str | PathLike[str],
    config: str | PathLike[str],
    vocab: str | PathLike[str] | None,
    output: str | PathLike[str],
    data: str | PathLike[str] | None,
    valid: str | PathLike[str] | None,
    check: str | PathLike[str] | None,
) -> str: ...
