"""Child processes that must not die unnoticed, and that never outlive their parent's work."""

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
"""Seconds between two looks at what is waited for."""

PATIENCE = 5.0
"""Seconds that a process has to end after a signal, before a harder one follows."""

LAST_LINES = 8
"""Lines of a process's log that a failure shows."""


class PartFailed(Exception):
    """A part did not do its work; the message says which, how, and what its log says."""


@dataclass(frozen=True, slots=True)
class Part:
    """A running child process.

    Attributes:
        name: what it is called in messages.
        process: with a process group of its own.
        log: where its output goes.
        ends: whether it ends by itself when its work is done.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    ends: bool

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid


@dataclass(slots=True)
class Parts:
    """Starts Python modules as processes; as a context manager it stops them all, whatever happens.

    Args:
        logs: existing folder for NAME.log of each process.
    """

    logs: Path
    _parts: dict[str, Part] = field(default_factory=dict)

    def start(self, name: str, module: str, *arguments: str, ends: bool = False) -> Part:
        """Run ``python -m module arguments`` as the part called ``name``; see ``Part`` for ``ends``."""
        log = self.logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own: whatever it starts ends with it
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        part = Part(name, process, log, ends)
        self._parts[name] = part
        return part

    def check(self) -> None:
        """Raise PartFailed where a part has ended that should not have, or with an error."""
        for part in self._parts.values():
            code = part.process.poll()
            if code is not None and (code != 0 or not part.ends):
                raise self.failure(part.name, _ending(code))

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until ``condition`` holds while all parts live.

        Raises:
            PartFailed: it does not within ``seconds``, or a part died meanwhile.
        """
        if not self.wait_briefly(condition, seconds):
            raise PartFailed(f"{what}: not within {seconds:g} s\n{self._last_lines()}")

    def wait_briefly(self, condition: Callable[[], bool], seconds: float) -> bool:
        """The same for something that may stay away: whether ``condition`` held in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True

    def failure(self, name: str, reason: str) -> PartFailed:
        """An exception that says what is wrong with a part, and its log's last lines."""
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
    """Signal a part and whatever it has started."""
    if part.process.poll() is None:
        os.killpg(part.process.pid, number)
