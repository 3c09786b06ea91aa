# make app    the app on 127.0.0.1:7860          make train PRESET=jsb/af-scf OUT=runs/jsb-af-scf
# make test   lint, types, tests                 make test-cuda   the tests that need a GPU
# make lint   lint and types alone               make format      rewrites the layout of the code
# make space SPACE=user/name   the page as a Hugging Face Space (log in first: hf auth login)
# make gpu-rehearsal    the plan for a rented GPU (docs/gpu.md), all of it small, on the processor: two minutes
# make train-queue      every recipe of recipes/queue.toml in turn; stop and start it at any time

PYTHON ?= python3
PORT ?= 7860
VENV := .venv
BIN := $(VENV)/bin
# glibc hands large blocks back to the system at once; a training step that asks for the same ones again pays for it.
KEEP_MEMORY := MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=10000000000 MALLOC_TOP_PAD_=268435456
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Compiled Python files are kept: the tests start some fifty processes of this package.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: app space gpu-rehearsal test run-tests test-cuda train train-queue lint format clean

app: $(VENV)/.app-installed
	@$(BIN)/python -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("fluidsynth"))' \
		|| .ci/apt-install $$(cat packages.txt) \
		|| echo "Going on without fluidsynth: the app plays sine voices."
	@exec $(BIN)/python app.py --port $(PORT)

space: $(VENV)/.app-installed
	@test -n "$(SPACE)" || { echo "usage: make space SPACE=user/name"; exit 2; }
	@$(BIN)/python -m app.space "$(SPACE)"

# Side by side: types are checked on one core, and the tests take seconds before they need both.
test: $(VENV)/.browser-looked-for
	@$(MAKE) --no-print-directory --jobs=2 lint run-tests

run-tests:
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test-cuda: $(VENV)/.dev-installed
	$(BIN)/python -m pytest -q -m cuda

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

format: $(VENV)/.dev-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: $(VENV)/.app-installed
	@test -n "$(PRESET)" -a -n "$(OUT)" || { echo "usage: make train PRESET=jsb/af-scf OUT=runs/jsb-af-scf"; exit 2; }
	$(KEEP_MEMORY) $(BIN)/python -m lnf_core train --preset $(PRESET) --out $(OUT) --resume

train-queue: $(VENV)/.app-installed
	$(KEEP_MEMORY) $(BIN)/python -m lnf_core train-queue

gpu-rehearsal: $(VENV)/.dev-installed
	$(BIN)/python -m benchmarks.gpu rehearsal --out runs/gpu-rehearsal

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Debian keeps the part of venv that installs pip in a package of its own.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) was found. Name another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/apt-install python3-venv
	$(PYTHON) -m venv $(VENV)
	@touch $@

# torch by itself and first: with its exact version known, nothing else can pull in another build of it.
$(VENV)/.app-installed: requirements.txt constraints.txt | $(VENV)/.made
	@echo "Installing dependencies into $(VENV) (a few minutes the first time) ..."
	@$(PIP) "$$(grep '^torch==' constraints.txt)"
	@$(PIP) -r requirements.txt -c constraints.txt
	@touch $@

$(VENV)/.dev-installed: requirements-dev.txt $(VENV)/.app-installed
	$(PIP) -r requirements-dev.txt -c constraints.txt
	@touch $@

# The tests run without either and name what they skip; with them they cover sound and the page as well.
$(VENV)/.browser-looked-for: | $(VENV)/.dev-installed
	@$(BIN)/python -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("fluidsynth"))' \
		|| .ci/apt-install $$(cat packages.txt) || true
	@for browser in chromium-headless-shell chromium chromium-browser; do command -v $$browser >/dev/null && exit; done; \
		.ci/apt-install chromium-headless-shell || .ci/apt-install chromium || true
	@touch $@
