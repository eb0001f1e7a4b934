"""SegVec3D: segments a point cloud into objects and finds them by text (sections 3.3 and 4.3 of the paper)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checkpoint import Checkpoint, fingerprint, load_checkpoint, save_checkpoint, shipped_path
from .clock import Clock
from .clustering import ClusteringConfig, cluster
from .config import AlignmentConfig, ClusteringMethod, GroupingConfig, NetworkConfig, SegmentationConfig
from .device import device_of
from .grouping import Ties, group_superpoints
from .hierarchy import build_hierarchy
from .inference import shapes
from .inference.alignment import InstanceInput
from .inference.backbone import FusedNetwork
from .inference.by_torch import embed_by_torch
from .inference.grouping import Judged
from .inference.layers import Array, sigmoid
from .instances import ScoreModel, Segment, alignment_input, describe_segments, find_segments, label_points, vertical_of
from .kernels import KERNEL_LOCK
from .matching import answer
from .nouns import singular
from .query import interpret
from .relations import View
from .superpoints import EmbeddedVoxels, Superpoints, find_superpoints
from .text import TextEncoder
from .threads import single_thread
from .trained import Aligner, Backbone, Grouper, aligner, backbone, check_together, grouper, ungrouped
from .types import Camera, Match, Matches, PointCloud, Scene
from .voxels import VoxelGrid, voxels_of, wanted_points, without_ramps

if TYPE_CHECKING:
    from .alignment import Alignment
    from .grouping_network import SuperpointNetwork
    from .network import PointAttention

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """A cloud halfway through ``SegVec3D.segment``: embedded, not yet clustered.

    Attributes:
        cloud: the input; grid: its voxels; up: (3,) unit vector against gravity, or None.
        voxels: the network's output per voxel; None if no point was usable.
        seconds: time per stage so far.
        beside: (N,) int64, index of the point whose label each point takes, see ``kernels.ramps``; None if every point
            keeps its own.
    """

    cloud: PointCloud
    grid: VoxelGrid
    up: NDArray[np.float32] | None
    voxels: EmbeddedVoxels | None
    seconds: dict[str, float]
    beside: NDArray[np.int64] | None = None


class SegVec3D:
    """The complete pipeline: trained networks, clustering, scoring and text encoder.

    Create it with ``SegVec3D.load()``. One instance serves many clouds and may be called from any thread; clouds are
    processed one at a time.

    Attributes:
        device: where the graph is built and the backbone runs, "cpu" or "cuda:0" and so on; later stages run on the
            CPU.
        info: name and fingerprint of the weights, number of parameters, training record.
        threshold: default ``min_similarity`` of ``find`` and ``name``.
    """

    def __init__(
        self,
        network: PointAttention | Backbone,
        alignment: Alignment | Aligner,
        clustering: ClusteringConfig | None = None,
        score: ScoreModel | None = None,
        threshold: float = 0.5,
        device: str = "auto",
        info: dict[str, Any] | None = None,
        grouping: SuperpointNetwork | Grouper | None = None,
    ) -> None:
        self.device = device_of(device)
        self._warned = False  # whether a cloud that may not be a scan has been warned about
        self._network = backbone(network).on(self.device)
        self._alignment = aligner(alignment).on("cpu")
        self._grouping = (ungrouped(self._network.config) if grouping is None else grouper(grouping)).on("cpu")
        self.clustering = clustering or ClusteringConfig()
        self.score = score or ScoreModel()
        self.threshold = threshold
        self.text = TextEncoder()
        self.info = info or {}

    @property
    def network(self) -> PointAttention:
        """The backbone as a torch module, equations (1) to (7); inference follows changes of its weights."""
        return self._network.module

    @network.setter
    def network(self, network: PointAttention) -> None:
        self._network = backbone(network)

    @property
    def grouping(self) -> SuperpointNetwork:
        """The grouping network as a torch module."""
        return self._grouping.module

    @grouping.setter
    def grouping(self, grouping: SuperpointNetwork) -> None:
        self._grouping = grouper(grouping)

    @property
    def alignment(self) -> Alignment:
        """The alignment as a torch module, equations (9) to (11)."""
        return self._alignment.module

    @alignment.setter
    def alignment(self, alignment: Alignment) -> None:
        self._alignment = aligner(alignment)

    @classmethod
    def load(cls, path: str | Path | None = None, device: str = "auto") -> SegVec3D:
        """Load trained weights.

        Args:
            path: a weight file, or None for the weights shipped with the package.
            device: "auto" (a GPU if there is one and it segments a small test cloud without error), "cpu", "cuda" or
                "cuda:N".

        Raises:
            FileNotFoundError: no such file.
            ValueError: a damaged or incompatible file, or an unknown or missing device.
        """
        file, place = shipped_path() if path is None else Path(path), device_of(device)
        model = cls._read(file)
        if place == "cpu":
            return model
        try:
            model.network.to(place)
            model.device = place
            if device == "auto":
                model._rehearse()
        except Exception as error:  # drivers and compilers raise many different types
            if device != "auto":
                raise
            log.warning("the GPU is left alone, SegVec3D fails on it: %s: %s", type(error).__name__, error)
            return cls._read(file)
        return model

    @classmethod
    def _read(cls, file: Path) -> SegVec3D:
        """Load trained weights on the CPU."""
        checkpoint = load_checkpoint(file)
        try:
            config = checkpoint.config
            network = backbone(checkpoint.part("network"), NetworkConfig.from_dict(config["network"]))
            alignment = aligner(checkpoint.part("alignment"), AlignmentConfig.from_dict(config["alignment"]))
            grouping = grouper(checkpoint.part("grouping"), GroupingConfig.from_dict(config["grouping"]))
            clustering = ClusteringConfig(**config["clustering"])
            score = ScoreModel(**config["score"])
            threshold = float(config["threshold"])
            check_together(network, alignment, grouping)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"weights: {file} does not fit this version of SegVec3D: {error}") from None
        model = cls(network, alignment, clustering, score, threshold, "cpu", grouping=grouping)
        about = {"weights": file.name, "fingerprint": fingerprint(file), "parameters": model.parameter_count()}
        model.info = about | checkpoint.record
        return model

    @classmethod
    def untrained(cls, seed: int = 0, config: NetworkConfig | None = None, device: str = "auto") -> SegVec3D:
        """The same pipeline with random weights, as a baseline without learning."""
        import torch

        from .alignment import Alignment
        from .network import PointAttention

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = PointAttention(config)
            alignment = Alignment(AlignmentConfig(features=network.config.features))
        return cls(network, alignment, device=device, info={"weights": f"untrained, seed {seed}"})

    def with_untrained_heads(self, seed: int = 0) -> SegVec3D:
        """The same network with random weights in the embedding head (7), the bond heads and the grouping network.

        The surface head stays trained. Cluster by embeddings ("fast"): an untrained grouping network separates nothing.
        """
        import torch

        from .network import PointAttention

        network = PointAttention(self.network.config)
        network.load_state_dict(self.network.state_dict())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random = PointAttention(self.network.config)
            network.embed.load_state_dict(random.embed.state_dict())
            network.bonds.load_state_dict(random.bonds.state_dict())
            network.color_bonds = random.color_bonds
        name = f"{self.info.get('weights', 'weights')}, instance heads untrained"
        return SegVec3D(
            network, self._alignment, self.clustering, self.score, self.threshold, self.device, {"weights": name}
        )

    def with_clustering(self, clustering: ClusteringConfig) -> SegVec3D:
        """The same model with other clustering constants; the weights are shared, not copied."""
        other = SegVec3D(
            self._network, self._alignment, clustering, self.score, self.threshold, self.device, dict(self.info),
            self._grouping,
        )  # fmt: skip
        other.text = self.text
        return other

    def save(self, path: str | Path, record: dict[str, Any] | None = None) -> None:
        """Write weights, configuration and constants to one safetensors file.

        The alignment's matrices are stored in half precision, which changes similarities by about 0.01, rarely 0.02.
        """
        arrays: dict[str, NDArray[np.floating]] = {f"network.{k}": v for k, v in self._network.arrays.items()}
        half = {k: v.astype(np.float16) if v.ndim > 1 else v for k, v in self._alignment.arrays.items()}
        arrays |= {f"alignment.{k}": v for k, v in half.items()}
        arrays |= {f"grouping.{k}": v for k, v in self._grouping.arrays.items()}
        config = {
            "network": self._network.config.to_dict(),
            "alignment": self._alignment.config.to_dict(),
            "grouping": self._grouping.config.to_dict(),
            "clustering": asdict(self.clustering),
            "score": asdict(self.score),
            "threshold": self.threshold,
        }
        save_checkpoint(Checkpoint(arrays, config, record or {}), Path(path))

    def parameter_count(self) -> int:
        """Number of trainable parameters of all networks, without the sentence encoder."""
        return shapes.parameters(
            (
                shapes.network_shapes(self._network.config),
                shapes.grouping_shapes(self._grouping.config),
                shapes.alignment_shapes(self._alignment.config),
            )
        )

    def warm_up(self) -> None:
        """Compile kernels and load the sentence encoder, so that the first cloud and query are not slow."""
        self.similarities(self._rehearse(), ["a thing"])

    def _rehearse(self) -> Scene:
        """Segment a small synthetic cloud that exercises the kernels of a frame."""
        depth = np.full((40, 40), 1.0, np.float32)
        depth[:, 30:] = [1.1, 1.3, 1.5, 1.7, 1.9, *[2.0] * 5]  # with a blurred edge
        color = np.zeros((40, 40, 3), np.uint8)
        return self.segment(PointCloud.from_depth(depth, Camera(40, 40, 100.0, 100.0, 19.5, 19.5), color))

    # Section 3.3: a cloud becomes instances -----------------------------------------------------------------------

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None, clock: Clock | None = None) -> Scene:
        """Segment a cloud into instances: voxelise, connect, attend, embed, cluster, describe.

        Args:
            cloud: N points; a cloud with neither ``up`` nor ``viewpoint`` is taken as a z-up scan.
            config: range, size and score limits, voxel size, clustering method.
            clock: measures the stages; by default one that does not synchronise with a GPU between stages.

        Returns:
            a scene with one label per point; it has no objects if no point is usable.
        """
        config, clock = config or SegmentationConfig(), clock or Clock()
        return self.group(self.embed(cloud, config, clock), config, clock=clock)

    def embed(
        self, cloud: PointCloud, config: SegmentationConfig | None = None, clock: Clock | None = None
    ) -> Embedded:
        """The first half of ``segment``, up to the embeddings: voxelise, connect, attend, embed."""
        config, clock = config or SegmentationConfig(), clock or Clock()
        up = cloud.up
        if up is None and cloud.viewpoint is None:
            up = np.array([0, 0, 1], np.float32)
            if not self._warned and cloud.lies_ahead:
                self._warned = True
                log.warning(
                    "cloud: taken for a scan whose z is up, but it looks like one in a camera's own frame: tell its "
                    "viewpoint, 0 0 0, or its up"
                )
        with KERNEL_LOCK:
            with clock("voxels"):
                wanted, beside = without_ramps(cloud, wanted_points(cloud, config))
                grid = voxels_of(cloud.points, cloud.colors, cloud.viewpoint, config, wanted)
            if len(grid) == 0:
                return Embedded(cloud, grid, up, None, clock.seconds)
            voxels = self.embed_voxels(grid, cloud.viewpoint, up, clock)
            return Embedded(cloud, grid, up, voxels, clock.seconds, beside)

    def embed_voxels(
        self, grid: VoxelGrid, viewpoint: NDArray[np.float32] | None, up: NDArray[np.float32] | None,
        clock: Clock | None = None,
    ) -> EmbeddedVoxels:  # fmt: skip
        """Connect, attend and embed the voxels of a cloud, V > 0.

        Args:
            viewpoint: (3,) sensor position in the cloud's frame, metres, or None; up: (3,) or None.
            clock: measures the stages.
        """
        clock, config = clock or Clock(), self._network.config
        with KERNEL_LOCK:
            if self.device != "cpu" or not FusedNetwork.fits(config):
                return embed_by_torch(self.network, self.device, grid, viewpoint, up, clock)
            with clock("graph"), single_thread():
                hierarchy = build_hierarchy(grid, viewpoint, up, config, clock=clock)
            with clock("network"), single_thread():
                fused, finest = self._network.fused, hierarchy.levels[0]
                features, embeddings, logits = fused(hierarchy, clock)
                bonds = fused.judge_edges(features, finest, grid.colors)
        return EmbeddedVoxels(finest.neighbors, hierarchy.normals, features, embeddings, sigmoid(logits), bonds)

    def judge(self, superpoints: Superpoints) -> Judged:
        """Predict which superpoints of a cloud belong together and which lie on surfaces."""
        return self._grouping.fused(superpoints)

    def project(self, instances: InstanceInput[NDArray[Any]]) -> Array:
        """Equations (9) and (10): vectors of K > 0 instances -> (K, d_v) of unit length."""
        with KERNEL_LOCK:
            return self._alignment.fused.project_instances(instances)

    def compare(self, v: Array, t: Array) -> Array:
        """Calibrated similarity of instances (K, d_v) and sentence vectors (T, d_t) -> (K, T), 0 to 1."""
        with single_thread():
            return self._alignment.fused.similarity(v, t)

    def group(
        self,
        embedded: Embedded,
        config: SegmentationConfig | None = None,
        clustering: ClusteringConfig | None = None,
        clock: Clock | None = None,
    ) -> Scene:
        """The second half of ``segment``, from the embeddings on: cluster, describe.

        Args:
            embedded: from ``embed``; config: limits and clustering method.
            clustering: constants that replace the model's own.
            clock: the one passed to ``embed``, to continue it; None for a new one with the timings of ``embedded``.
        """
        config, clock = config or SegmentationConfig(), clock or Clock(embedded.seconds)
        grid, voxels = embedded.grid, embedded.voxels
        if voxels is None:
            return Scene(np.full(len(embedded.cloud), -1, np.int32), (), clock.seconds)
        with KERNEL_LOCK, single_thread():
            with clock("clustering"):
                viewpoint = embedded.cloud.viewpoint
                segments, ties = self.part(voxels, grid, viewpoint, embedded.up, config.clustering, clustering)
            with clock("boxes"):
                axes = embedded.cloud.camera_axes
                in_picture = None if axes is None else -axes[:, 1]
                vertical = vertical_of(segments, voxels.normals, embedded.up, in_picture)
                segments = describe_segments(segments, grid, vertical, config)
                affinity = None if ties is None else ties.affinity([segment.voxels for segment in segments])
            with clock("alignment"):
                v = np.zeros((0, self._alignment.config.width), np.float32)
                if segments:
                    v = self.project(alignment_input(segments, voxels.features, grid, voxels.normals, embedded.up))
            with clock("labels"):
                points, beside = embedded.cloud.points, embedded.beside
                labels, counts = label_points(segments, points, grid, voxels, config.min_points, beside)
                return self._scene(embedded.cloud, labels, counts, segments, v, vertical, axes, affinity, clock.seconds)

    def part(
        self, voxels: EmbeddedVoxels, grid: VoxelGrid, viewpoint: NDArray[np.float32] | None,
        up: NDArray[np.float32] | None, method: ClusteringMethod, clustering: ClusteringConfig | None = None,
    ) -> tuple[list[Segment], Ties | None]:  # fmt: skip
        """Group embedded voxels into segments.

        Args:
            voxels: from ``embed_voxels``; grid, viewpoint, up: its arguments.
            method: clustering method; clustering: constants that replace the model's own.

        Returns:
            segments, objects first, and the superpoints' pairwise scores, None unless the method is "graph".
        """
        constants = (clustering or self.clustering).for_cloud(viewpoint is None)
        e, surface, graph = voxels.embeddings, voxels.surface, (voxels.bonds, voxels.neighbors)
        with KERNEL_LOCK, single_thread():
            if method != "graph":
                objects, surfaces = cluster(e, surface, *graph, method, constants)
                return find_segments(objects, surfaces, e, surface, *graph, grid, self.score), None
            superpoints = find_superpoints(voxels, grid, viewpoint, up)
            found = group_superpoints(superpoints, self.judge(superpoints), e, surface, constants)
            segments = find_segments(
                found.objects, found.surfaces, e, found.surface, *graph, grid, self.score, found.doubts
            )
            return segments, found.ties

    @staticmethod
    def _scene(
        cloud: PointCloud, labels: NDArray[np.int32], counts: NDArray[np.int64], segments: list[Segment],
        v: NDArray[np.float32], vertical: NDArray[np.float32] | None, axes: NDArray[np.float32] | None,
        affinity: NDArray[np.float32] | None, seconds: dict[str, float],
    ) -> Scene:  # fmt: skip
        objects = tuple(segment.to_object(v[k], int(counts[k])) for k, segment in enumerate(segments))
        if vertical is None and axes is not None:  # assume that the camera is held upright
            vertical = -axes[:, 1]
        return Scene(labels, objects, seconds, cloud.viewpoint, vertical, axes, affinity)

    # Section 4.3: instances meet language -------------------------------------------------------------------------

    def find(
        self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None,
        view: View | None = None,
    ) -> Matches:  # fmt: skip
        """Find the objects that a text describes: "the red mug", "the biggest box", "the bottle left of the laptop".

        Args:
            scene: from ``segment``; text: a noun phrase or question, see docs/language.md.
            top_k: maximum number of matches; None for as many as the text asks for: "the mug" one, "mugs" all.
            min_similarity: 0 to 1; None for the calibrated threshold.
            view: viewpoint that left, right, front and back refer to; None for the camera's.

        Returns:
            matches, best first; empty if nothing fits.

        Raises:
            TypeError: a text that is not a string.
            ValueError: a text that is empty, too long or refused by ``query.interpret``, ``top_k`` below 1,
                ``min_similarity`` outside 0 to 1, or words such as "left of" for a scene without a viewpoint.
        """
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k: expected at least 1, got {top_k}")
        if min_similarity is not None and not 0 <= min_similarity <= 1:
            raise ValueError(f"min_similarity: expected 0 to 1, got {min_similarity}")
        query = interpret(text)
        limit = query.count if top_k is None else top_k
        threshold = self.threshold if min_similarity is None else min_similarity
        found = answer(query, scene, partial(self.similarities, scene), self.threshold, view)
        fitting = [k for k in found.order if found.similarity[k] >= threshold][:limit]
        matches = tuple(Match(int(k), scene.objects[k], float(found.similarity[k])) for k in fitting)
        notes = list(found.notes)
        if query.count is not None and top_k is None and 0 < len(matches) < query.count:
            notes.append(f"only {len(matches)} of {query.count} are there")
        return Matches(matches, "; ".join((query.explain(threshold), *notes)))

    def name(self, scene: Scene, labels: Sequence[str]) -> list[tuple[str, float]]:
        """Name every object with the most similar of ``labels``, or "other" if none reaches the threshold.

        A plural label is encoded as its singular ("mugs" as "mug") but returned as given.

        Returns:
            (label, similarity) for each of ``scene.objects``.

        Raises:
            TypeError: one text instead of a list; ValueError: a label that is empty or too long.
        """
        if isinstance(labels, str):
            raise TypeError(f"labels: expected a list of words, got the text {labels!r}")
        if len(labels) == 0:
            return [("other", 0.0)] * len(scene)
        similarity = self.similarities(scene, [singular(label) for label in labels], nouns=True)
        best = similarity.argmax(1) if len(similarity) else []
        return [
            (labels[b] if row[b] >= self.threshold else "other", float(row[b]))
            for row, b in zip(similarity, best, strict=True)
        ]

    def similarities(self, scene: Scene, texts: Sequence[str], nouns: bool = False) -> NDArray[np.float32]:
        """Calibrated similarity of every object with every text -> (K, T) float32, 0 to 1.

        Args:
            nouns: whether the texts are bare nouns, whose vectors are averaged over prompt templates.
        """
        t = self.text.encode_nouns(texts) if nouns else self.text.encode(texts)
        v = np.array([o.embedding for o in scene.objects], np.float32).reshape(len(scene), self._alignment.config.width)
        return self.compare(v, t)
