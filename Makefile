# make demo: train and evaluate Mask R-CNN with SB on generated images.
# make test: run the tests.
# Both set up .venv first. Another Python: make demo PYTHON=python3.12
PYTHON ?= python3
VENV ?= .venv
RUN = set -a; [ ! -f $(VENV)/sb_mm.env ] || . $(VENV)/sb_mm.env; $(VENV)/bin/python
DEMO = configs/beacons/maskrcnn_sb_r50_beacons.py

.PHONY: demo test setup lock

demo: setup
	@$(RUN) tools/make_beacons.py data/beacons --size 128 --num-train 800 --num-val 60
	@$(RUN) tools/train.py $(DEMO) --work-dir work_dirs/demo
	@$(RUN) tools/test.py $(DEMO) "$$(cat work_dirs/demo/last_checkpoint)" \
		--work-dir work_dirs/demo --show-dir work_dirs/demo/pictures

test: setup
	@$(RUN) -m pytest -q -n 2 tests

setup: $(VENV)/sb_mm.stamp

$(VENV)/sb_mm.stamp: requirements/stack.txt tools/bootstrap.py
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not on the PATH; name another: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) tools/bootstrap.py $(VENV)

lock: setup
	cd requirements && ../$(VENV)/bin/uv pip compile -q --universal \
		--python-version 3.10 --override overrides.txt \
		--no-emit-package opencv-python --no-annotate \
		--custom-compile-command 'make lock' stack.in -o stack.txt
