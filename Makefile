# InterVAI. Needs python3 >= 3.11, make and git; everything else goes into .venv.
# GATEWAY_PORT and STATE_DIR choose a suite: with different values several run side by side.
GATEWAY_PORT ?= 8080
STATE_DIR ?= .local
export GATEWAY_PORT STATE_DIR

VENV := .venv/bin
SUITE := $(VENV)/python -m intervai_local
# Without limits, with hashes that take milliseconds, and never with somebody's key.
TEST_SUITE := OPENAI_API_KEY= RATE_LIMIT_SCALE=0 ARGON2_TIME_COST=1 ARGON2_MEMORY_KIB=8192 $(SUITE)
PROJECTS := $(wildcard pyproject.toml */pyproject.toml deploy/*/pyproject.toml)
SOURCES := shared/src $(wildcard *-service/src) deploy/local/src deploy/offline-llm/src deploy/backup/src deploy/capacity/src
# A .venv that was moved or copied names another folder in its scripts, and is made anew.
READY := $(if $(shell grep -s '[!" ]$(CURDIR)/.venv/bin/python' .venv/bin/pip),.venv/.stamp,remake)

.DEFAULT_GOAL := help
.PHONY: help run up down status logs scale roll dlq admin keys events replay backup restore
.PHONY: plan blueprints test test-parts test-suite chaos regions bench samples lint format lock images clean remake

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  GATEWAY_PORT=$(GATEWAY_PORT) STATE_DIR=$(STATE_DIR)"

.venv/.stamp: requirements.lock $(PROJECTS) deploy/local/bootstrap.sh
	@sh deploy/local/bootstrap.sh

remake:
	@sh deploy/local/bootstrap.sh

run: $(READY) ## start the suite and follow its logs; Ctrl-C stops it, data stays
	@$(SUITE) run

up: $(READY) ## start the suite in the background
	@$(SUITE) up

down: $(READY) ## stop the suite; data stays
	@$(SUITE) down

status: $(READY) ## every process: state, port, memory, restarts
	@$(SUITE) status

logs: $(READY) ## follow the logs; SERVICE="qa-service qa-worker" chooses
	@$(SUITE) logs $(SERVICE)

scale: $(READY) ## run N instances: SERVICE=qa-service N=3
	@$(SUITE) scale "$(SERVICE)" "$(N)"

roll: $(READY) ## replace instances one by one, without a gap: SERVICE="qa-service qa-worker", or all; SETTINGS="LOG_LEVEL"
	@$(SUITE) roll $(SERVICE) $(addprefix --setting ,$(SETTINGS))

dlq: $(READY) ## dead letters: SERVICE=qa-service DO="list | show ID | replay ID|all | drop ID|all"
	@$(SUITE) with --service "$(SERVICE)" -- $(VENV)/python -m intervai_shared.dlq $(or $(DO),list)

admin: $(READY) ## make an account an administrator: EMAIL=ada@example.com; REVOKE=1 takes it away
	@$(SUITE) with --service auth-service -- $(VENV)/python -m auth_service.admin "$(EMAIL)" $(if $(REVOKE),--revoke)

keys: $(READY) ## signing keys: DO="list | rotate | revoke KID"
	@$(SUITE) with --service auth-service -- $(VENV)/python -m auth_service.keys $(or $(DO),list)

events: $(READY) ## the event log: SERVICE=qa-service TYPE=session.created FOLLOW=1
	@$(SUITE) with --service "$(SERVICE)" -- $(VENV)/python -m intervai_shared.events print \
		$(addprefix --type ,$(TYPE)) $(if $(FOLLOW),--follow) $(ARGS)

replay: $(READY) ## build projections anew from the event log: SERVICE=qa-service; PROJECTION=trending only that
	@$(SUITE) with --service "$(SERVICE)" -- $(VENV)/python -m intervai_shared.events replay $(PROJECTION)

backup: $(READY) ## back up databases and files while the suite runs: TO=backups/monday
	@$(SUITE) with -- $(VENV)/python -m intervai_backup backup "$(TO)"

restore: $(READY) ## put a backup back: FROM=backups/monday; REPLACE=1 where there is data
	@$(SUITE) with --paused -- $(VENV)/python -m intervai_backup restore "$(FROM)" $(if $(REPLACE),--replace)

plan: $(READY) ## what tiers need and cost: TIER=tier-2; REQUESTS=2000 QUESTIONS=50000 EXPORTS=5000 finds the cheapest
	@$(VENV)/python -m intervai_capacity plan $(addprefix --tier ,$(TIER)) $(addprefix --requests ,$(REQUESTS)) \
		$(addprefix --questions ,$(QUESTIONS)) $(addprefix --exports ,$(EXPORTS)) $(addprefix --model ,$(MODEL))

blueprints: $(READY) ## write deploy/render and deploy/compose/tier-N.env from deploy/tiers.yaml
	@$(VENV)/python -m intervai_capacity files

SUITE_TESTS := tests gateway/tests deploy/local/tests
PARTS_TESTS := $(addsuffix /tests,shared auth-service user-service qa-service export-service) \
	$(filter-out $(SUITE_TESTS),$(sort $(wildcard deploy/*/tests)))

# The embedded Mongo engine slows down with each test that has opened a service in its own process, so the tests that go
# through the gateway get a suite of their own, with others that mostly start processes: so both take about as long. They
# run beside each other, for either one waits half of its time. What fails then runs once more, alone.
# REDIS=cluster reaches the suite and the tests by the environment, as what stands on make's command line does.
test: $(READY) ## all tests, on fresh suites of their own; ARGS="-k export" chooses; REDIS=cluster on a Redis Cluster
ifdef ARGS
	@$(TEST_SUITE) exec -- $(VENV)/pytest $(ARGS)
else
	@rm -rf .pytest_cache/parts* .pytest_cache/suite* && mkdir -p .pytest_cache
	@$(MAKE) --no-print-directory --keep-going -j2 test-parts test-suite || \
		SUITE_EXEC="$(TEST_SUITE) exec --" SUITE_TESTS="$(SUITE_TESTS)" sh deploy/test-again.sh
endif

test-parts:
	@code=0; PORTS=20000-25999 $(TEST_SUITE) exec -- $(VENV)/pytest -o cache_dir=.pytest_cache/parts $(PARTS_TESTS) || code=$$?; \
		echo $$code > .pytest_cache/parts.status; exit $$code

test-suite:
	@code=0; PORTS=26000-31999 $(TEST_SUITE) exec -- $(VENV)/pytest -o cache_dir=.pytest_cache/suite $(SUITE_TESTS) || code=$$?; \
		echo $$code > .pytest_cache/suite.status; exit $$code

chaos: $(READY) ## break everything, then count (15 min): FAULTS=200 REQUESTS=5000
	@$(TEST_SUITE) exec -- $(VENV)/python -m tests.chaos --faults $(or $(FAULTS),200) --requests $(or $(REQUESTS),5000) \
		--report docs/reliability.md $(ARGS)

regions: $(READY) ## lose one of two regions, on two suites, and tell what people see (5 min, 2 GB)
	@ARGON2_TIME_COST=1 ARGON2_MEMORY_KIB=8192 $(VENV)/python -m tests.regions --report docs/multi-region.md

bench: $(READY) ## measure a running suite: TARGET=main-job
	@$(SUITE) with -- $(VENV)/python deploy/bench/$(subst -,_,$(TARGET)).py

samples: $(READY) ## make docs/samples anew, by way of a running suite
	@$(SUITE) with -- $(VENV)/python deploy/samples.py

lint: $(READY) ## formatting, types, imports, gateway and container files
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy $(SOURCES)
	$(VENV)/lint-imports
	$(VENV)/python deploy/lint/rules.py
	sh gateway/lint.sh
	bash deploy/containers/lint.sh
	$(VENV)/python deploy/k8s/lint.py

format: $(READY) ## format the Python files
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

lock: $(READY) ## resolve all pyproject.toml into requirements.lock
	$(VENV)/uv pip compile pyproject.toml --quiet --generate-hashes --universal --python-version 3.11 \
		--prerelease=if-necessary --no-annotate --no-emit-index-url --no-emit-find-links \
		$(addprefix --no-emit-package ,auth-service user-service qa-service export-service) \
		$(addprefix --no-emit-package ,intervai-shared intervai-backup intervai-capacity intervai-local offline-llm) \
		--custom-compile-command "make lock" --output-file requirements.lock
	@UV=$(VENV)/uv bash deploy/containers/lock.sh

images: $(READY) ## build the container images; CHECK=1 also starts each and sees it ready
	@bash deploy/containers/images.sh $(if $(CHECK),--check)

clean: $(READY) ## stop the suite and delete STATE_DIR
	@$(SUITE) clean
