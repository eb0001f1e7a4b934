"""Which edition of the simulator draws: today's, or the one that the evaluation was fixed with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_first_edition: ContextVar[bool] = ContextVar("first_edition", default=False)
_first_shapes: ContextVar[bool] = ContextVar("first_shapes", default=False)


@contextmanager
def first_edition(shapes: bool = True) -> Iterator[None]:
    """Within it scenes are what they were when the evaluation's tables, test sets and sequences were fixed: of the
    families of ``FIRST_EDITION``, none of them warped, lit by one light, set down on bare tables, sparse shelves and in
    rooms with plain walls, seen by the lenses, read with the noise and fused as then. What the simulator learns to make
    does not change what is measured on.

    Never around a ``yield``: whoever asks for the next value would be within it too.

    Args:
        shapes: with its things and its light, too; without, today's things are set down, seen and read as then.
    """
    tokens = (_first_edition, _first_edition.set(True)), (_first_shapes, _first_shapes.set(shapes))
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)


def is_first_edition() -> bool:
    """Whether the first edition draws."""
    return _first_edition.get()


def has_first_shapes() -> bool:
    """Whether the things that are drawn and their light are the first edition's alone."""
    return _first_shapes.get()
