"""A network as arrays for inference, and as a torch module once someone asks for it.

Importing torch takes longer than everything else up to the first objects, and inference on the CPU does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .config import AlignmentConfig, GroupingConfig, NetworkConfig
from .inference.alignment import FusedAlignment
from .inference.backbone import FusedNetwork
from .inference.grouping import FusedGrouping
from .inference.layers import Weights
from .inference.shapes import Shapes, alignment_shapes, check, grouping_shapes, network_shapes
from .kernels import bfloat16

if TYPE_CHECKING:
    from torch import nn

    from .alignment import Alignment
    from .grouping_network import SuperpointNetwork
    from .network import PointAttention

Arrays = Mapping[str, NDArray[np.floating]]
Module = TypeVar("Module", bound="nn.Module")
Fused = TypeVar("Fused")
Config = TypeVar("Config")
_kept: WeakKeyDictionary[Any, tuple[object, Any]] = WeakKeyDictionary()


def packed(module: Module, make: Callable[[Module], Fused]) -> Fused:
    """The result of ``make`` for a module, cached until its weights change.

    Changes are detected by version counters, which a fused optimiser and writes through ``.data`` do not increase.
    """
    weights = (*module.parameters(), *module.buffers())
    if any(p.is_inference() for p in weights):  # inference tensors have no version counter
        return make(module)
    state = (bfloat16.multiplier(), *((p.data_ptr(), p._version) for p in weights))
    if module not in _kept or _kept[module][0] != state:
        _kept[module] = (state, make(module))
    made: Fused = _kept[module][1]
    return made


class Trained(Generic[Module, Fused, Config]):
    """A network with its weights.

    Args:
        config: its architecture; source: its torch module, or its arrays by name.
        build: makes a module for a config, with any weights; fuse: makes what infers on the CPU.

    Attributes:
        config: its architecture.
    """

    def __init__(
        self, config: Config, source: Module | Arrays, build: Callable[[Config], Module],
        fuse: Callable[[Weights, Config], Fused],
    ) -> None:  # fmt: skip
        self.config = config
        self._build, self._fuse = build, fuse
        self._fused: tuple[object, Fused] | None = None
        self._weights, self._module, self._device = Weights({}), None, "cpu"
        if isinstance(source, Mapping):
            self._weights = Weights(source)
        else:
            self._module = source.eval()

    @property
    def module(self) -> Module:
        """The torch module; inference follows changes of its weights."""
        if self._module is None:
            import torch

            # Initial weights are overwritten, so the generator is left alone. Made in the caller's inference mode,
            # weights could never be trained.
            with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
                module = self._build(self.config).eval()
                module.load_state_dict({name: torch.from_numpy(value) for name, value in self._weights.arrays.items()})
            self._module = module.to(self._device)
        return self._module

    def on(self, device: str) -> Self:
        """This network, with its module on a device."""
        self._device = device
        if self._module is not None:
            self._module.to(device)
        return self

    @property
    def fused(self) -> Fused:
        """What infers on the CPU, with the current weights.

        Raises:
            ValueError: the kernels do not know this form of network.
        """
        if self._module is not None:
            return packed(self._module, lambda module: self._fuse(Weights.of(module), self.config))
        state = bfloat16.multiplier()
        if self._fused is None or self._fused[0] != state:
            self._fused = (state, self._fuse(self._weights, self.config))
        return self._fused[1]

    @property
    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The current weights by name."""
        if self._module is None:
            return self._weights.arrays
        return {name: value.detach().cpu().numpy() for name, value in self._module.state_dict().items()}


Backbone = Trained["PointAttention", FusedNetwork, NetworkConfig]
Aligner = Trained["Alignment", FusedAlignment, AlignmentConfig]
Grouper = Trained["SuperpointNetwork", FusedGrouping, GroupingConfig]


def backbone(source: PointAttention | Backbone | Arrays, config: NetworkConfig | None = None) -> Backbone:
    """The network of equations (1) to (7).

    Args:
        source: its module, or its arrays by name, which need the ``config``.

    Raises:
        ValueError: arrays of other names or shapes.
    """

    def build(config: NetworkConfig) -> PointAttention:
        from .network import PointAttention

        return PointAttention(config)

    return _trained("network", source, config, network_shapes, build, FusedNetwork)


def aligner(source: Alignment | Aligner | Arrays, config: AlignmentConfig | None = None) -> Aligner:
    """The network of equations (9) to (11); as ``backbone``."""

    def build(config: AlignmentConfig) -> Alignment:
        from .alignment import Alignment

        return Alignment(config)

    return _trained("alignment", source, config, alignment_shapes, build, FusedAlignment)


def grouper(source: SuperpointNetwork | Grouper | Arrays, config: GroupingConfig | None = None) -> Grouper:
    """The network that groups superpoints; as ``backbone``."""

    def build(config: GroupingConfig) -> SuperpointNetwork:
        from .grouping_network import SuperpointNetwork

        return SuperpointNetwork(config)

    return _trained("grouping", source, config, grouping_shapes, build, FusedGrouping)


def ungrouped(config: NetworkConfig) -> Grouper:
    """A grouping network for a backbone of this shape, with random but reproducible weights."""
    import torch

    from .grouping_network import SuperpointNetwork

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return grouper(SuperpointNetwork(GroupingConfig(features=config.features, embedding=config.embedding)))


def check_together(network: Backbone, alignment: Aligner, grouping: Grouper) -> None:
    """See that alignment and grouping read what the backbone writes: kernels do not check.

    Raises:
        ValueError: another d_f or d_e.
    """
    expected = network.config
    for name, features in (("alignment", alignment.config.features), ("grouping", grouping.config.features)):
        if features != expected.features:
            raise ValueError(f"{name}: expected {expected.features} features, got {features}")
    if grouping.config.embedding != expected.embedding:
        raise ValueError(f"grouping: expected embeddings of {expected.embedding}, got {grouping.config.embedding}")


def _trained(
    name: str, source: Any, config: Config | None, shapes: Callable[[Config], Shapes],
    build: Callable[[Config], Module], fuse: Callable[[Weights, Config], Fused],
) -> Trained[Module, Fused, Config]:  # fmt: skip
    if isinstance(source, Trained):
        return source
    if isinstance(source, Mapping):
        assert config is not None
        check(name, source, shapes(config))
    return Trained(config or source.config, source, build, fuse)
