"""The arguments of every command, and their help."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn, get_args

from segvec3d_core.cli.modes import BENCHMARKS, EVALUATIONS, SIMULATIONS, STAGES, Mode, note_defaults
from segvec3d_core.config import ClusteringMethod

INPUTS = """INPUT is a .ply, .pcd, .npz (points, colors) or .xyz file, a 16-bit depth .png (with --camera, or in a frame
folder), a frame folder, or a bag (rosbag2 directory, .mcap, .db3); --index picks a cloud of the last two. Coordinates
are metres, of a scan unless --scale says otherwise, as for one in millimetres: --scale 0.001. So is all that is written
of it. z is up in a scan unless --up says otherwise, as for most phones' scans: --up 0 1 0."""

TRAINING = """\
Train weights on simulated scenes. First the network (embeddings), then the constants of clustering by them,
then what groups superpoints (instances) and the alignment with language, both on scenes of the next seed.

The model card says with which options the shipped weights were trained. Interrupted, it goes
on with --resume and the same options: in the middle of the first stage, or with the later one
that it was in, for which --cache keeps what was made of scenes. After another grouping on the same
network, calibration fits the threshold and the scores again and keeps the alignment. The
stage mixture goes a part of the way back to the weights that training began with, which
often hold for more. The stage bonds teaches finished weights anew how surely voxels belong
together, by their colours, too; the stage pairs more of what belongs together, piece by
piece; the stage kinds anew what is a surface and what an object, and nothing else;
scores read that: where they should follow, calibrate."""


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line. ``run`` in its result is (module beside this one, function in it)."""
    parser = _Parser(
        prog="segvec3d",
        description="Object instances from point clouds, findable in words.",
        epilog="segvec3d COMMAND --help shows arguments and examples of each.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    for add in (_segment, _find, _eval, _train, _ablate, _simulate, _bench, _info):
        add(commands)
    _ros(commands)
    return parser


def _command(commands: Any, name: str, run: tuple[str, str], text: str, examples: str) -> argparse.ArgumentParser:
    """Add a command; ``run`` is (module beside this one, function in it)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text.partition(".")[0][:1].lower() + text.partition(".")[0][1:],
        description=text,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model")
    group.add_argument("--model", metavar="FILE", help="weights (default: those that come with the package)")
    group.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto, a GPU if there is one)")
    group.add_argument("--clustering", choices=get_args(ClusteringMethod), help="how voxels become instances")
    group.add_argument("--voxel-size", type=float, metavar="M", help="voxel edge, metres (default: fits the cloud)")
    group.add_argument("--max-voxels", type=int, metavar="N", help="voxel budget; more is finer and slower")
    group.add_argument(
        "--max-range", type=float, metavar="M", help="drop points farther from the sensor (a scan's origin), m"
    )
    group.add_argument("--min-score", type=float, metavar="S", help="drop objects scored lower, 0 to 1; surfaces stay")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON; - is standard output")


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="INPUT", help="the cloud, see above")
    group = parser.add_argument_group("input")
    group.add_argument("--color", metavar="FILE", help="colour image of a depth image")
    group.add_argument("--camera", metavar="FILE", help="intrinsics of a depth image, JSON")
    group.add_argument("--index", type=int, default=0, metavar="N", help="which cloud of a bag or folder (default: 0)")
    group.add_argument("--topic", help="PointCloud2 topic of a bag (default: the first by name)")
    group.add_argument("--scale", type=float, default=1.0, metavar="S", help="metres of a scan's unit (default: 1)")
    for name, text in (
        ("--viewpoint", "where the sensor stood, metres; 0 0 0 for a cloud in a camera's own frame"),
        ("--up", "direction against gravity (default: z, but for a cloud in a camera's own frame)"),
    ):
        group.add_argument(name, type=float, nargs=3, metavar=("X", "Y", "Z"), help=text)
    group.add_argument(
        "--tiles", type=float, nargs="?", const=4.0, metavar="M",
        help="a scan of any size, in tiles of so many metres (default: 4); INPUT may be a folder of clouds, its pieces",
    )  # fmt: skip
    group.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share tiles (default: 1)")


def _segment(commands: Any) -> None:
    parser = _command(
        commands, "segment", ("objects", "segment"),
        f"Part a cloud into instances. Writes a picture, JSON, the labelled cloud without points that were not seen,\n"
        f"and the label of every row of the input (.npy: k of the JSON's objects[k], or -1).\n\n{INPUTS}",
        '  segvec3d segment office.ply --query "the chair"\n'
        "  segvec3d segment frames/depth/0.png --output out\n"
        "  segvec3d segment depth.png --color color.png --camera camera.json\n"
        "  segvec3d segment building.ply --tiles --workers 4\n"
        "  segvec3d segment drive.mcap --topic /camera/points --index 5 --json -",
    )  # fmt: skip
    _add_input(parser)
    parser.add_argument("--query", metavar="TEXT", help="also find this, and show it")
    parser.add_argument("--labels", metavar="A,B,...", help="words to name objects with (default: a household's)")
    parser.add_argument(
        "--output", metavar="DIR", default="segvec3d_output", help="folder of the results (default: segvec3d_output)"
    )
    _add_json(parser)
    _add_model(parser)


def _find(commands: Any) -> None:
    parser = _command(
        commands, "find", ("objects", "find"),
        f"Find objects by words. Exit code 1 when nothing is found.\n\n{INPUTS}",
        '  segvec3d find office.ply "the chair"\n'
        '  segvec3d find frames "mugs" --index 3 --picture mugs.png\n'
        '  segvec3d find building.ply "the sink" --tiles\n'
        '  segvec3d find office.ply "a lamp" --min-similarity 0.3 --json -',
    )  # fmt: skip
    _add_input(parser)
    parser.add_argument("query", metavar="TEXT", help="what to find")
    parser.add_argument("--top-k", type=int, metavar="K", help="at most so many (default: what the text asks for)")
    parser.add_argument("--min-similarity", type=float, metavar="S", help="0 to 1 (default: the calibrated threshold)")
    parser.add_argument("--picture", metavar="FILE", help="draw the answer")
    _add_json(parser)
    _add_model(parser)


def _add_language(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("language")
    group.add_argument(
        "--language", dest="run", action=Mode, const=("language", "evaluate"),
        help="ask for things on --limit simulated tables (default: 100), without PATH",
    )  # fmt: skip
    group.add_argument(
        "--wide", action="store_true",
        help="of --language: things of every kind that the simulator makes, warped ones too, not of the first edition",
    )  # fmt: skip
    group.add_argument("--pictures", metavar="DIR", help="of --language: draw right and wrong answers there")
    group.add_argument(
        "--held-out", dest="run", action=Mode, const=("held_out", "evaluate"),
        help="choose among ten names for things on simulated floors, for weights trained --without them",
    )  # fmt: skip
    group.add_argument(
        "--classify", dest="run", action=Mode, const=("language", "classify_shapes"),
        help="name the test shapes of PATH, ModelNet40 or ScanObjectNN, with no training on them",
    )  # fmt: skip


def _add_sequences(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("object map on simulated sequences, without PATH")
    group.add_argument(
        "--sequence", dest="run", action=Mode, const=("sequences", "evaluate"),
        help="identities, duplicates, ghosts, boxes, and retrieval over the map",
    )  # fmt: skip
    group.add_argument("--sequences", type=int, metavar="N", help="only N of them, evenly picked")
    group.add_argument("--seconds", type=float, metavar="S", help="only the first S seconds of each")
    group.add_argument("--layout", choices=("table", "room"), help="only these")
    group.add_argument("--workers", type=int, default=1, metavar="N", help="sequences at a time (default: 1)")
    group.add_argument("--truth", action="store_true", help="segment by the truth: errors left are the map's own")


def _eval(commands: Any) -> None:
    parser = _command(
        commands, "eval", ("compare", "evaluate"),
        "Score a model on labelled data, beside untrained weights and plane removal + DBSCAN.\n\n"
        "PATH is a frame folder (masks of objects as UOIS-Net and UCN score them, and retrieval by name), labelled\n"
        ".npz scans or ScanNet scenes, one or a folder of them (average precision as ScanNet computes it, without\n"
        "classes). A tags.json beside them gives figures for each sensor and for the hard ones.",
        "  segvec3d eval frames\n"
        "  segvec3d eval frames --worst 5 --output worst --json scores.json\n"
        "  segvec3d eval frames --spread --reliability reliability.png\n"
        "  segvec3d eval rooms --model runs/a/segvec3d.safetensors --model-only\n"
        "  segvec3d eval scannet/scans --split scannetv2_val.txt\n"
        "  segvec3d eval --sequence --sequences 4\n"
        "  segvec3d eval --validation --model runs/a/segvec3d.safetensors",
    )  # fmt: skip
    parser.add_argument(
        "path", metavar="PATH", nargs="?", default="", help="frame folder, .npz scan, ScanNet scene, or folder of scans"
    )
    parser.add_argument("--split", metavar="FILE", help="only the scans that it names, one a line: scannetv2_val.txt")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N frames or scans")
    parser.add_argument(
        "--stride", type=int, default=1, metavar="N",
        help="as a sensor would see it whose points lie N times as far apart (default: 1)",
    )  # fmt: skip
    parser.add_argument("--colorless", action="store_true", help="as a sensor without colours would see it")
    parser.add_argument("--model-only", action="store_true", help="leave out the rows to compare with")
    parser.add_argument("--spread", action="store_true", help="also with every clustering constant times 0.7 and 1.3")
    parser.add_argument("--reliability", metavar="FILE", help="draw score against share of objects with IoU > 0.5")
    parser.add_argument(
        "--worst",
        type=int,
        default=0,
        metavar="N",
        help="draw the N frames of least overlap F, or scans of least AP50",
    )
    parser.add_argument("--output", metavar="DIR", default="worst_frames", help="of --worst (default: worst_frames)")
    _add_sequences(parser)
    _add_language(parser)
    parser.add_argument(
        "--validation", dest="run", action=Mode, const=("validation", "evaluate"),
        help="on --limit simulated scenes as training draws them (default: 100), without PATH, to choose weights by",
    )  # fmt: skip
    _add_json(parser)
    _add_model(parser)
    note_defaults(parser, EVALUATIONS)


def _add_first_stage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", metavar="DIR", help="train the first stage on labelled frames or ScanNet scenes")
    parser.add_argument("--split", metavar="FILE", help="of --frames only the ScanNet scenes that it names, one a line")
    parser.add_argument(
        "--labelled-points", metavar="FILE",
        help="of their labels only those of these points, a list of the limited-annotation benchmark",
    )  # fmt: skip
    parser.add_argument("--scenes", type=int, metavar="N", help="different scenes of the first stage or the bonds")
    parser.add_argument("--steps", type=int, metavar="N", help="scenes that the first stage or the bonds see")
    parser.add_argument(
        "--learning-rate", type=float, metavar="R", help="peak in the stage that --stage names, else in the first"
    )
    parser.add_argument("--max-voxels", type=int, metavar="N", help="of a scene of these two, at most")


def _add_later_stages(parser: argparse.ArgumentParser) -> None:
    for stage in ("grouping", "alignment"):
        parser.add_argument(f"--{stage}-scenes", type=int, metavar="N", help=f"scenes of the {stage} stage")
        parser.add_argument(f"--{stage}-steps", type=int, metavar="N", help=f"optimiser steps of the {stage} stage")
        parser.add_argument(
            f"--{stage}-start", metavar="FILE", help=f"begin the {stage} stage with that of these weights"
        )
    parser.add_argument(
        "--alignment-keep", type=float, metavar="SHARE",
        help="mix what the alignment stage has learned with this share of the weights it began with",
    )  # fmt: skip
    parser.add_argument(
        "--without", metavar="NOUNS", help="categories that the alignment never sees, by commas: hammer,teapot"
    )
    parser.add_argument(
        "--without-pairs", action="store_true",
        help="let the alignment never see one pair of colour and category in five; eval --language tells what they "
        "then are worth",
    )  # fmt: skip


def _train(commands: Any) -> None:
    parser = _command(
        commands, "train", ("workshop", "train"), TRAINING,
        "  segvec3d train --output runs/a\n"
        "  segvec3d train --output runs/a --resume\n"
        "  segvec3d train --output runs/weak --labels points:100 --steps 4000\n"
        "  segvec3d train --output runs/scannet --frames scannet/scans --split scannetv2_train.txt\n"
        "  segvec3d train --output runs/a --stage alignment\n"
        "  segvec3d train --output runs/a --stage mixture --start former.safetensors --keep 0.7",
    )  # fmt: skip
    parser.add_argument("--output", metavar="DIR", required=True, help="checkpoints, log and weights")
    parser.add_argument("--stage", choices=list(STAGES), default="all", help="default: all")
    parser.add_argument(
        "--resume", action="store_true", help="go on with what is in --output, made with the same options"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (default: 0)")
    parser.add_argument(
        "--start", metavar="FILE", help="weights to begin the first stage, bonds, pairs or kinds with, or to mix with"
    )
    parser.add_argument("--keep", type=float, metavar="SHARE", help="of the weights of --start in a mixture, 0 to 1")
    _add_first_stage(parser)
    _add_later_stages(parser)
    parser.add_argument("--validation-scenes", type=int, metavar="N", help="simulated scenes to measure on")
    parser.add_argument(
        "--labels", default="full", metavar="KIND",
        help="supervision of the first stage: full (default), points:N a scene, one-point, agreement, oversegmentation",
    )  # fmt: skip
    parser.add_argument(
        "--cache", metavar="DIR", help="keep made scenes here, and what is said of them, for further runs"
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N",
        help="processes that make scenes (default: 1; the stages after the first take all cores, up to eight)",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the network (default: cores - workers)")
    note_defaults(parser, STAGES)


def _ablate(commands: Any) -> None:
    parser = _command(
        commands, "ablate", ("ablate", "ablate"),
        "Measure what each piece is worth. Trains the network without it, or on weaker labels, or clusters otherwise:\n"
        "one table, the same scenes and steps for every row, measured on other simulated scenes.\n\n"
        "A second call skips the rows that are finished and goes on in the middle of the others.",
        "  segvec3d ablate --output runs/ablation --cache runs/scenes\n"
        "  segvec3d ablate mean,paper,points:20 --output runs/ablation --steps 500\n"
        "  segvec3d ablate --output runs/ablation --table",
    )  # fmt: skip
    parser.add_argument("rows", metavar="ROWS", nargs="?", default="all", help="all, or names by comma (default: all)")
    parser.add_argument("--output", metavar="DIR", required=True, help="runs, rows, ablation.md and ablation.json")
    parser.add_argument("--table", action="store_true", help="print the finished rows and train nothing")
    parser.add_argument("--steps", type=int, metavar="N", help="scenes that each run sees")
    parser.add_argument("--scenes", type=int, metavar="N", help="different ones among them")
    parser.add_argument("--validation-scenes", type=int, metavar="N", help="to choose constants on, 4 N to measure on")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (default: 0)")
    parser.add_argument("--cache", metavar="DIR", help="keep made scenes here, for all rows")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that make scenes (default: 1)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the network (default: cores - workers)")


def _simulate(commands: Any) -> None:
    parser = _command(
        commands, "simulate", ("workshop", "simulate"),
        "Make frames of synthetic scenes, as a depth camera would see them, in the layout that eval and demo read.",
        "  segvec3d simulate --output frames --count 20\n"
        "  segvec3d simulate --output frames --layout room --seed 7 --preview sheet.png\n"
        "  segvec3d simulate --fetch-shapes\n"
        "  segvec3d simulate --test tabletop-v1 --output tabletop-v1 --workers 2",
    )  # fmt: skip
    parser.add_argument("--output", metavar="DIR", help="frame folder to write (or to add to)")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="number of frames (default: 10)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed, the same frames (default: 0)")
    parser.add_argument("--layout", help="table, room or shelf (default: drawn for each frame)")
    parser.add_argument("--objects", type=int, metavar="N", help="objects to place on a table (default: drawn)")
    parser.add_argument("--sensor", help="kinect, stereo, tof, generic, ideal or lidar (default: a drawn camera)")
    parser.add_argument("--width", type=int, default=640, help="pixels (default: 640)")
    parser.add_argument("--height", type=int, default=480, help="pixels (default: 480)")
    parser.add_argument("--preview", metavar="FILE", help="a contact sheet of the frames")
    group = parser.add_argument_group("fixed test sets, with models that training never sees")
    group.add_argument("--test", metavar="NAME", help="write tabletop-v1, clutter-v1 or rooms-v1 instead")
    group.add_argument("--limit", type=int, metavar="N", help="only its first scenes (default: all 200)")
    group.add_argument("--workers", type=int, default=1, metavar="N", help="processes that make them (default: 1)")
    group.add_argument("--fetch-shapes", action="store_true", help="fetch their models first, with apt and pip")
    group.add_argument("--shapes", metavar="DIR", help="where the models are (default: SEGVEC3D_SHAPES or the cache)")
    note_defaults(parser, SIMULATIONS)


def _bench(commands: Any) -> None:
    parser = _command(
        commands,
        "bench",
        ("bench", "bench"),
        "Measure the time from raw points to labels and boxes, stage by stage, beside plane removal + DBSCAN.",
        "  segvec3d bench\n  segvec3d bench frames --runs 50 --threads 2\n  segvec3d bench --start\n"
        "  segvec3d bench --sizes 320x240 640x480 1280x720 --scans 50000 200000 1000000 10000000 --runs 5",
    )
    parser.add_argument(
        "path", nargs="?", metavar="PATH", help="frame folder or cloud (default: simulated frames of 640 x 480)"
    )
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="measured runs (default: 20)")
    parser.add_argument("--sizes", nargs="+", metavar="WxH", help="simulated frames of these sizes, in pixels")
    parser.add_argument("--scans", nargs="+", type=int, metavar="N", help="a simulated room with so many points")
    parser.add_argument("--threads", type=int, metavar="N", help="threads to compute with (default: one for each core)")
    parser.add_argument(
        "--start", type=int, nargs="?", const=5, metavar="N",
        help="instead, how long new processes take to their first answer, N of each kind (default: 5)",
    )  # fmt: skip
    _add_json(parser)
    _add_model(parser)
    note_defaults(parser, BENCHMARKS)


def _info(commands: Any) -> None:
    parser = _command(
        commands, "info", ("workshop", "info"),
        "Print versions, machine, device and what is known of the weights.",
        "  segvec3d info\n  segvec3d info --model runs/a/segvec3d.safetensors --json -",
    )  # fmt: skip
    parser.add_argument("--model", metavar="FILE", help="weights (default: those that come with the package)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    _add_json(parser)


def _ros(commands: Any) -> None:
    """Add the commands of the ROS package to the help; they parse their arguments themselves, the demo also --help."""
    _command(
        commands, "node", ("", ""),
        "Start the ROS 2 node, as ros2 run segvec3d segvec3d_node does. Takes ROS arguments.",
        "  segvec3d node --ros-args -r points:=/camera/depth/color/points -p device:=cpu",
    )  # fmt: skip
    commands.add_parser("demo", help="run camera, node and client live over ROS 2, and draw what was found")
