"""Training on simulated scenes: ``run`` is what ``segvec3d train`` calls. Inference never imports this package."""

from .run import run

__all__ = ["run"]
