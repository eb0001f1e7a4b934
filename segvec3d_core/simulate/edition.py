"""Which edition of the simulator draws: today's, or the one that the evaluation was fixed with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_first_edition: ContextVar[bool] = ContextVar("first_edition", default=False)


@contextmanager
def first_edition() -> Iterator[None]:
    """Within it everything is as it was when the evaluation's tables and sequences were fixed: objects are those of
    ``FIRST_EDITION``, none of them warped, seen by the lenses and read with the noise of then. What the simulator
    learns to make does not change what is measured on.

    Never around a ``yield``: whoever asks for the next value would be within it too.
    """
    token = _first_edition.set(True)
    try:
        yield
    finally:
        _first_edition.reset(token)


def is_first_edition() -> bool:
    """Whether the first edition draws."""
    return _first_edition.get()
