"""Sources of the test sets' models: two archives from public registries, pinned by version and SHA-256."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "SEGVEC3D_SHAPES"
"""Environment variable that names the folder of the archives and of the models made from them."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A package that holds models.

    Attributes:
        name, version: of the package. file: name of the archive. sha256: hash of the archive, hexadecimal.
        command: downloads the archive into the working directory.
    """

    name: str
    version: str
    file: str
    sha256: str
    command: tuple[str, ...]


FURNITURE = Archive(
    "sweethome3d-furniture", "1.8-1", "sweethome3d-furniture_1.8-1_all.deb",
    "3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668",
    ("apt-get", "download", "sweethome3d-furniture=1.8-1"),
)  # fmt: skip
PYBULLET = Archive(
    "pybullet", "3.2.7", "pybullet-3.2.7-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "5d858abf7c12a21ef3ed351cf81dac1b5e486ec25c9ab59bfc84beb89034edff",
    (
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--python-version", "3.11",
        "--implementation", "cp", "--platform", "manylinux2014_x86_64", "pybullet==3.2.7",
    ),
)  # fmt: skip
ARCHIVES = (FURNITURE, PYBULLET)


def shapes_folder(folder: str | Path | None = None) -> Path:
    """The folder given, else that of SEGVEC3D_SHAPES, else segvec3d/shapes in the user's cache."""
    if folder is not None:
        return Path(folder)
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segvec3d" / "shapes"


def fetch(archive: Archive, folder: Path) -> Path:
    """Path of the archive in ``folder``; it is downloaded with apt or pip if missing.

    Raises:
        OSError: the package client is missing, or it failed (the message has the command).
        ValueError: the file's SHA-256 is not the pinned one.
    """
    path = folder / archive.file
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        command = " ".join(archive.command)
        try:
            done = subprocess.run(archive.command, cwd=folder, capture_output=True, text=True)
        except FileNotFoundError:
            raise OSError(f"{archive.name}: {archive.command[0]} is not here; put {archive.file} in {folder}") from None
        if done.returncode or not path.is_file():
            reason = (done.stderr.strip().splitlines() or ["no such version"])[-1]
            raise OSError(f"{archive.name}: could not be fetched ({command}): {reason}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != archive.sha256:
        raise ValueError(f"{path}: expected SHA-256 {archive.sha256}, got {digest}")
    return path


def debian_files(path: Path) -> dict[str, zipfile.ZipFile]:
    """The furniture libraries (.sh3f) in a .deb, by the stem of their file names; read without dpkg or ar.

    Raises:
        ValueError: a file without a data.tar.
    """
    blob, offset = path.read_bytes(), 8
    while offset < len(blob):
        name, size = blob[offset : offset + 16].decode().strip().rstrip("/"), int(blob[offset + 48 : offset + 58])
        if name.startswith("data.tar"):
            data = blob[offset + 60 : offset + 60 + size]
            with tarfile.open(fileobj=io.BytesIO(lzma.decompress(data) if name.endswith(".xz") else data)) as tar:
                found = [member for member in tar.getmembers() if member.name.endswith(".sh3f")]
                return {Path(m.name).stem: zipfile.ZipFile(tar.extractfile(m) or io.BytesIO()) for m in found}
        offset += 60 + size + size % 2
    raise ValueError(f"{path}: expected a Debian package with a data.tar, got none")
