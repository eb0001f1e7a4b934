"""The command line: ``segvec3d segment | find | eval | train | ablate | simulate | bench | demo | info | node``.

``arguments`` defines the arguments of each command, ``modes`` which of them may be combined. The commands themselves
are in modules of their own, imported only when they run, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from segvec3d_core.cli.arguments import make_parser
from segvec3d_core.cli.modes import refuse_others
from segvec3d_core.files import require_writable
from segvec3d_core.memory import keep_freed_memory

PASSED_ON = {"node": "segvec3d_ros.node", "demo": "segvec3d_ros.demo"}
"""Commands of the ROS package, which parse their own arguments. The node takes ROS arguments, and has no help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: command-line arguments without the program's name; None for those of the process.

    Returns:
        0 on success, 1 if ``find`` found nothing, 2 for bad input (after one line on standard error), 130 if
        interrupted. With SEGVEC3D_DEBUG set in the environment, errors are raised with their traceback instead.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        if arguments and arguments[0] in PASSED_ON and arguments not in (["node", "-h"], ["node", "--help"]):
            return _pass_on(PASSED_ON[arguments[0]], arguments[1:])
        args = make_parser().parse_args(arguments)
        refuse_others(args)
        if getattr(args, "json", None) not in (None, "-"):
            require_writable(args.json)
        keep_freed_memory()
        module, function = args.run
        handler: Callable[[argparse.Namespace], int] = getattr(import_module(f".{module}", __name__), function)
        return handler(args)
    except KeyboardInterrupt:
        print("segvec3d: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has closed it
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # so that the interpreter's last flush is quiet
        return 0
    except (ValueError, TypeError, OSError, ImportError) as error:
        if os.environ.get("SEGVEC3D_DEBUG"):
            raise
        without_torch = isinstance(error, ModuleNotFoundError) and error.name == "torch"
        told = "this command needs torch: pip install torch" if without_torch else str(error)
        print(f"segvec3d: error: {' '.join(told.split())}", file=sys.stderr)
        return 2


def _pass_on(module: str, arguments: list[str]) -> int:
    """Run a command of the ROS package.

    Raises:
        ImportError: ROS is not installed; the message says what to install.
    """
    try:
        run: Callable[[list[str]], int | None] = import_module(module).main
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise ImportError(
            f"{module} needs ROS 2 ({missing} is missing here): source the robot's ROS installation, "
            "or run make setup in a checkout of SegVec3D"
        ) from None
    return run(arguments) or 0
