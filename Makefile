# Needs python3 (3.11 or later), git and make; everything else is fetched by .ci/setup.

NEWEST := .venv-newest/bin
LOWEST := .venv-lowest/bin
JS := tests/js/node_modules/.ready
FAST := not (faults or slow or benchmark or cloud)
# Most tests wait for processes, so three at a time share two cores well.
SHARED := -n 3 --dist loadfile --no-loadscope-reorder

# Processes come and go by the hundred in the tests; let them find their modules compiled.
export PYTHONDONTWRITEBYTECODE :=

step = @printf '\n== %s\n' '$(1)'

.PHONY: help
help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: demo
demo: .venv/.ready ## open JupyterLab on TUTORIAL=01; HEADLESS=1 runs it and reports
	.venv/bin/odyssey-nb demo $(TUTORIAL) $(if $(filter-out 0,$(HEADLESS)),--headless)

.PHONY: test
test: .venv-newest/.ready ## check everything, on the newest and on the lowest supported versions
	@$(MAKE) --no-print-directory --keep-going -j2 --output-sync=target \
		test-newest lint test-js .venv-lowest/.ready
	@$(MAKE) --no-print-directory test-lowest
	$(call step,everything passed)

.PHONY: lint lint-style lint-types lint-imports
lint: lint-style lint-types lint-imports ## check style, types and the direction of imports

lint-style: .venv-newest/.ready
	$(call step,ruff)
	@$(NEWEST)/ruff check --output-format=concise .
	@$(NEWEST)/ruff format --check .

lint-types: .venv-newest/.ready
	$(call step,mypy)
	@$(NEWEST)/mypy

lint-imports: .venv-newest/.ready
	$(call step,import-linter)
	@$(NEWEST)/lint-imports --no-logo

.PHONY: test-js
test-js: $(JS) ## check the widgets' JavaScript without a browser
	$(call step,tsc)
	@cd tests/js && npx --no-install tsc -p .
	$(call step,node --test)
	@cd tests/js && node --test

.PHONY: test-newest
test-newest: .venv-newest/.ready $(JS) ## run the tests on the newest versions, browsers included
	@.ci/setup chromium
	@.ci/setup coturn
	$(call step,pytest on the newest versions)
	@$(NEWEST)/pytest $(SHARED)

.PHONY: test-lowest
# Nor what is marked `newest`: rules, faults and races of our own code, which meet no other dependency
# than the tests beside them do.
test-lowest: .venv-lowest/.ready ## run the tests on the lowest versions, without browsers
	@.ci/setup coturn
	$(call step,pytest on the lowest versions)
	@$(LOWEST)/pytest $(SHARED) -m 'not (browser or newest) and $(FAST)'

.PHONY: faults
faults: .venv-newest/.ready ## kill, stop and starve processes and see what is freed, and when
	@.ci/setup chromium
	@.ci/setup coturn
	@FAULTS_REPORT=tests/faults $(NEWEST)/pytest -n 3 --dist worksteal -m faults

.PHONY: soak
MINUTES := 20
soak: .venv-newest/.ready ## act and fail at random for MINUTES=20, and see whether anything grows
	@.ci/setup chromium
	@SOAK_MINUTES=$(MINUTES) $(NEWEST)/pytest -m slow tests/faults/test_soak.py

.PHONY: slow
slow: .venv-newest/.ready ## what takes long and fails seldom: Ray and Dask, relays, a crowd in a notebook
	@.ci/setup chromium
	@.ci/setup coturn
	@.ci/setup clusters
	@$(NEWEST)/pytest -m slow --ignore=tests/faults/test_soak.py

.PHONY: bench
ROUNDS := 3
bench: .venv-newest/.ready ## measure in ROUNDS=3, print and write tests/benchmarks/README.md
	@.ci/setup bench
	@.ci/setup chromium
	@TQDM_DISABLE=1 BENCH_ROUNDS=$(ROUNDS) $(NEWEST)/pytest -m benchmark --capture=no tests/benchmarks \
		--ignore=tests/benchmarks/test_targets.py

.PHONY: bench-check
bench-check: .venv-newest/.ready ## hold what `make bench` found against the targets
	@$(NEWEST)/pytest -m benchmark tests/benchmarks/test_targets.py

.PHONY: coverage
coverage: .venv-newest/.ready $(JS) ## run the tests on the newest versions and show what they miss
	@.ci/setup chromium
	@.ci/setup coturn
	@$(NEWEST)/pytest --cov

.PHONY: clean
clean: ## remove what these targets built, except .venv
	rm -rf .venv-lowest .venv-newest .venv-tools tests/js/node_modules dist .coverage .coverage.*
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find odyssey_nb tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready: pyproject.toml .ci/setup
	@.ci/setup demo
	@touch $@

.venv-newest/.ready: pyproject.toml .ci/setup
	@.ci/setup newest
	@touch $@

.venv-lowest/.ready: pyproject.toml .ci/setup
	@.ci/setup lowest
	@touch $@

$(JS): tests/js/package.json .ci/setup
	@.ci/setup javascript
	@touch $@
