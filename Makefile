# make demo:     train and evaluate Mask R-CNN with SB on generated images.
# make demo-seg: UperNet with SB.
# make demo-cls: an image classifier with SB, which the two others start from.
# make evidence: every experiment of docs/evidence.md, in about two hours.
# make benchmark: plain, SB and others on real data, docs/comparison.md; JOBS=2.
# make benchmark-short: a sign of life of each in some minutes.
# make performance: every measurement of docs/performance.md, on an idle machine.
# make test:     run the tests.
# make test-slow: kill runs, a hundred of two processes on a busy machine, and
#                 compile what is the toolboxes' own.
# make test-oldest: the tests on the oldest stack, with Python 3.10, but for what
#                 newer versions of PyTorch are able to.
# make types:    check the type hints by mypy.
# make fuzz:     the tests of any input with 5,000 examples.
# make test-memory: run them under the checks of glibc's allocator.
# The demos print a progress bar, and the whole log with VERBOSE=1.
# All set up .venv first. Another Python: make demo PYTHON=python3.12
PYTHON ?= python3
VENV ?= .venv
STACK ?= requirements/stack.txt
ENV = set -a; [ ! -f $(VENV)/sb_mm.env ] || . $(VENV)/sb_mm.env;
RUN = $(ENV) $(VENV)/bin/python

.PHONY: demo demo-seg demo-cls evidence performance benchmark \
	benchmark-short test test-memory test-slow test-oldest fuzz types setup lock

demo: TASK = detector
demo-seg: TASK = segmentor
demo-cls: TASK = classifier
demo demo-seg demo-cls: setup
	@$(RUN) tools/demo.py $(TASK) $(if $(VERBOSE),--verbose)

evidence performance: setup
	@$(ENV) PATH="$(abspath $(VENV))/bin:$$PATH" tools/$@.sh

# NAMES=camvid for one of them
benchmark benchmark-short: setup
	@$(ENV) PATH="$(abspath $(VENV))/bin:$$PATH" JOBS=$(or $(JOBS),1) \
		SHORT=$(if $(filter %-short,$@),1) tools/benchmarks.sh $(NAMES)

test: setup
	@$(RUN) -m pytest -q -n 2 --dist worksteal --durations 20 -m 'not slow' tests

test-slow: setup
	@$(RUN) -m pytest -q -m slow tests

test-oldest: PYTHON = python3.10
test-oldest:
	@$(MAKE) -s setup VENV=.venv-oldest STACK=requirements/oldest.txt PYTHON=$(PYTHON)
	@.venv-oldest/bin/python -m pytest -q -n 2 --dist worksteal \
		--durations 20 -m 'not slow' --ignore tests/test_abilities.py tests

fuzz: setup
	@SB_MM_FUZZ=5000 $(RUN) -m pytest -q -n 2 tests/test_fuzz.py

test-memory: setup
	@LD_PRELOAD=libc_malloc_debug.so.0 MALLOC_CHECK_=3 $(MAKE) -s test

# mypy on the hints of the package, in a cache of uv's
types: setup
	@$(VENV)/bin/uv tool run --from mypy --python $(VENV)/bin/python mypy \
		--python-executable $(VENV)/bin/python --config-file tests/mypy.ini

setup: $(VENV)/sb_mm.stamp

$(VENV)/sb_mm.stamp: $(STACK) tools/bootstrap.py sb_mm/compat.py
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not on the PATH; name another: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) tools/bootstrap.py $(VENV) --stack $(STACK)

lock: setup
	cd requirements && ../$(VENV)/bin/uv pip compile -q --universal \
		--python-version 3.10 --override overrides.txt \
		--no-emit-package opencv-python --no-annotate \
		--custom-compile-command 'make lock' stack.in -o stack.txt
	cd requirements && ../$(VENV)/bin/uv pip compile -q --python-version 3.10 \
		--python-platform x86_64-manylinux_2_28 --build-constraints oldest.in \
		--override overrides.txt --no-emit-package opencv-python --no-annotate \
		--custom-compile-command 'make lock' oldest.in -o oldest.txt
