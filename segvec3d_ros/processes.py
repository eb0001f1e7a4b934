"""Child processes that are monitored while they run, and stopped when the parent is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

POLL = 0.02
"""Polling interval when waiting, seconds."""

PATIENCE = 5.0
"""Seconds that a process has to end after a signal, before the next stronger signal."""

LAST_LINES = 8
"""Number of lines of a process's log shown with a failure."""


class PartFailed(Exception):
    """A part failed; the message names it, the reason, and the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Part:
    """A running child process.

    Attributes:
        name: for messages.
        process: leader of a process group of its own.
        log: file with its output.
        ends: whether it is expected to end by itself, with exit code 0.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    ends: bool

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid


@dataclass(slots=True)
class Parts:
    """Starts Python modules as processes. As a context manager, stops all of them on exit.

    Attributes:
        logs: existing folder for NAME.log of each process.
    """

    logs: Path
    _parts: dict[str, Part] = field(default_factory=dict)

    def start(self, name: str, module: str, *arguments: str, ends: bool = False) -> Part:
        """Start ``python -m module arguments`` as a part; see ``Part`` for ``name`` and ``ends``."""
        log = self.logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own, so that its children can be signalled as well
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        part = Part(name, process, log, ends)
        self._parts[name] = part
        return part

    def check(self) -> None:
        """Raise PartFailed if a part has ended with an error, or has ended although it should not."""
        for part in self._parts.values():
            code = part.process.poll()
            if code is not None and (code != 0 or not part.ends):
                raise self.failure(part.name, _ending(code))

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until ``condition`` holds; ``what`` names it in the error.

        Raises:
            PartFailed: it does not hold within ``seconds``, or a part failed meanwhile.
        """
        if not self.wait_briefly(condition, seconds):
            raise PartFailed(f"{what}: not within {seconds:g} s\n{self._last_lines()}")

    def wait_briefly(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``condition`` holds; returns False after ``seconds``.

        Raises:
            PartFailed: a part failed meanwhile.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True

    def failure(self, name: str, reason: str) -> PartFailed:
        """Make the exception for a failed part, with the last lines of its log."""
        return PartFailed(f"{name}: {reason}\n{self._last_lines(name)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            for part in self._parts.values():
                _signal_group(part, number)
            deadline = time.monotonic() + PATIENCE
            while any(part.process.poll() is None for part in self._parts.values()) and time.monotonic() < deadline:
                time.sleep(POLL)

    def _last_lines(self, name: str | None = None) -> str:
        lines = []
        for part in self._parts.values():
            if name in (None, part.name):
                text = part.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
                lines += [f"  {part.name}: {line}" for line in text]
        return "\n".join(lines)


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _signal_group(part: Part, number: signal.Signals) -> None:
    """Send a signal to a running part and its children."""
    if part.process.poll() is None:
        os.killpg(part.process.pid, number)
