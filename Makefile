# Two commands for a fresh machine (Debian 12, Ubuntu 24.04 or later; Python 3.11+; no ROS installation needed):
#
#   make demo                  set up, then camera -> node -> find_object, live over ROS 2, and a picture
#   make demo INPUT=PATH       the same with recorded frames (a folder), a rosbag2 or a scan (.ply .pcd .npz .xyz)
#   make test                  set up, then ruff, mypy and pytest
#
# Also: make setup, make lint, make bench, make clean, and make faults (the tests of faults in full, for minutes). The
# environment lies in .venv; a second call finds it ready.
# Variables: PYTHON (which Python 3.11+), INPUT, TORCH_INDEX (where CPU builds of torch are, if pip knows none).

PYTHON ?= python3
INPUT ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# The rclpy of a sourced ROS installation, built for another Python, would take precedence over the wheels in .venv.
unexport PYTHONPATH PYTHONHOME AMENT_PREFIX_PATH COLCON_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH PKG_CONFIG_PATH
unexport ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION ROS_PACKAGE_PATH RMW_IMPLEMENTATION
unexport ROS_DISCOVERY_SERVER ROS_STATIC_PEERS ROS_SUPER_CLIENT ROS_LOCALHOST_ONLY

VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/setup
# --no-compile: Python compiles modules when they are imported, whereas pip would compile all of them.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# Also applies to the isolated build environment of the message package, which must match the installed ROS wheels.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(PIP_CONSTRAINT)

TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
# Not in constraints.txt, because each GPU build of torch requires a certain version of it.
TRITON := 3.7.0
INTERFACES := $(shell find segvec3d_interfaces -type f)

.PHONY: help demo test lint bench faults setup clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -n 9

demo: setup
	@$(BIN)/python -m segvec3d_ros.demo $(if $(INPUT),"$(INPUT)")

# Runs ruff, mypy and pytest even if an earlier one fails.
test: setup $(DONE)/triton
	@failed=0; $(MAKE) --no-print-directory lint || failed=1; \
	echo "== pytest"; $(BIN)/python -m pytest -rsfE || failed=1; \
	exit $$failed

lint: setup
	@echo "== ruff"
	@$(BIN)/ruff check .
	@echo "== mypy"
	@$(BIN)/mypy

faults: setup
	@SEGVEC3D_FAULTS=full $(BIN)/python -m pytest -rsfE test/test_ros_faults.py

bench: setup
	@$(BIN)/segvec3d bench

setup: $(DONE)/interfaces ;@:

$(DONE)/system: tools/check_system.py
	@echo "[1/5] Checking for system packages"
	@$(PYTHON) tools/check_system.py
	@mkdir -p $(DONE) && touch $@

$(DONE)/venv: | $(DONE)/system
	@echo "[2/5] Making the environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# With an NVIDIA driver, install the default build of torch; elsewhere the CPU build, which saves gigabytes, from pip's
# configured index if it has one, else from TORCH_INDEX.
$(DONE)/torch: constraints.txt | $(DONE)/venv
	@echo "[3/5] Installing torch $(TORCH) (200 MB for the CPU, 3 GB with CUDA)"
	@if nvidia-smi >/dev/null 2>&1; then $(PIP) torch==$(TORCH); \
	elif ! $(PIP) torch==$(TORCH)+cpu 2>/dev/null; then $(PIP) --extra-index-url $(TORCH_INDEX) torch==$(TORCH); fi
	@touch $@

$(DONE)/package: setup.py package.xml pyproject.toml constraints.txt | $(DONE)/torch
	@echo "[4/5] Installing SegVec3D and what it needs, ROS 2 included (400 MB, some minutes)"
	@$(PIP) --editable '.[ros,test]'
	@touch $@

$(DONE)/interfaces: $(INTERFACES) | $(DONE)/package
	@echo "[5/5] Building the ROS messages and services (half a minute)"
	@$(PIP) --force-reinstall --no-deps ./segvec3d_interfaces
	@touch $@

# The tests of the GPU kernel interpret and compile it with Triton, without a GPU. GPU builds of torch include Triton.
$(DONE)/triton: | $(DONE)/interfaces
	@$(BIN)/python -c 'import triton' 2>/dev/null || { echo "[test] Installing triton (200 MB)"; \
	$(PIP) triton==$(TRITON) || echo "There is no triton for this machine: tests that need it are skipped"; }
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info demo_output .mypy_cache .pytest_cache .ruff_cache .hypothesis
