# Everything runs in .venv, made from uv.lock. Only Python 3.11+, pip, git and make have to be there.

UV := $(or $(shell command -v uv 2>/dev/null),$(CURDIR)/.tools/bin/uv)
RUN := $(UV) run --no-sync

.PHONY: help environment demo unit test test-processes mutation audit soak soak-dagster soak-signals soak-model soak-input test-schedule test-hosts test-mariadb test-radosgw test-pgbouncer test-celery test-image check bench dev
help:
	@echo "make demo    the whole job on sample pictures: no key, no network"
	@echo "make unit    core, use cases, and contracts over fakes; half a minute"
	@echo "make test    lint, types, layers and tests"
	@echo "make test-processes real processes: killed, stopped, for many nights, and Dagster's UI in a browser; 20 minutes"
	@echo "make mutation takes out each safeguard and sees its test fail; a quarter of an hour at most"
	@echo "make audit   known vulnerabilities of the locked packages, and secrets in the files"
	@echo "make soak           10,000 pictures, 270 signals, a failing vendor; 40 minutes, one table"
	@echo "make soak-dagster   30 nights of Dagster, a night a minute, all of it killed in between; three quarters of an hour"
	@echo "make soak-signals   200 signals at random instants; a quarter of an hour"
	@echo "make soak-model     5,000 lives of a catalogue in memory, of 100 steps each; half an hour"
	@echo "make soak-input     10,000 damaged pictures; five minutes"
	@echo "make test-schedule  the schedule by itself, a night a minute"
	@echo "make test-hosts     two hosts in namespaces of their own, killed and cut off; a quarter of an hour, one table; needs root"
	@echo "make test-mariadb   a catalogue in MariaDB, from Debian's packages"
	@echo "make test-radosgw   the S3 tests against a second server, from Debian's packages"
	@echo "make test-pgbouncer PostgreSQL behind a pooler, from Debian's packages"
	@echo "make bench   all benchmarks, beside their peers, into docs/benchmarks.md; half an hour on two idle cores"
	@echo "make check   the same without the tests"
	@echo "make dev     Dagster UI on http://127.0.0.1:3000 with your settings"

demo: $(UV)
	$(UV) run --locked --extra local --no-dev bg-pipeline demo --keep bg-pipeline-demo

# What is installed is compiled on the way (`pyproject.toml`); a clone is only linked to, so its own files are not.
environment: $(UV)
	$(UV) sync --quiet --locked --inexact --extra local
	$(RUN) python -m compileall -q bg_pipeline

check: environment
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports

unit: environment
	$(RUN) pytest -m unit -n auto --dist loadfile bg_pipeline_tests/core bg_pipeline_tests/pipeline bg_pipeline_tests/contracts

test: check
	$(RUN) pytest -n auto --dist loadfile

test-processes: environment
	SCREENSHOTS=$(CURDIR)/screenshots $(RUN) pytest -m processes -n 2 --dist loadfile

mutation: environment
	$(RUN) python -m bg_pipeline_tests.safeguards

audit: environment
	UV=$(UV) $(RUN) python .ci/audit.py

soak: environment
	$(RUN) python -m bg_pipeline_tests.soak

soak-dagster: environment
	$(RUN) python -m bg_pipeline_tests.soak.dagster

soak-signals: environment
	SIGNALS=200 $(RUN) pytest -m processes -o junit_family=xunit1 --junit-xml=soak-signals.xml -k in_the_first_seconds bg_pipeline_tests/e2e/test_signals.py
	@grep -o 'ended_after_s" value="[0-9.]*' soak-signals.xml | grep -o '[0-9.]*$$' | sort -n \
	    | awk '{ t[NR] = $$1 } END { print NR " signals; ended after " t[int((NR + 1) / 2)] " s in the median, " t[NR] " s at most" }'

soak-model: environment
	MODEL=5000x100 $(RUN) pytest -n 0 bg_pipeline_tests/model

soak-input: environment
	DAMAGED=10000 $(RUN) pytest -n 0 bg_pipeline_tests/pipeline/test_hostile_input.py

test-schedule: environment
	$(RUN) pytest -m long

# ONLY=dies runs the trials with that word in their names.
test-hosts: environment
	command -v ip >/dev/null && command -v radosgw >/dev/null && command -v cc >/dev/null \
	    || (apt-get update -qq && apt-get install -qq -y --no-install-recommends iproute2 gcc libc6-dev radosgw ceph-mon ceph-osd)
	$(RUN) python -m bg_pipeline_tests.hosts --only "$(ONLY)"

test-mariadb: environment
	command -v mariadbd >/dev/null || (apt-get update -qq && apt-get install -qq -y --no-install-recommends mariadb-server)
	$(RUN) pytest -m mariadb

test-radosgw: environment
	command -v radosgw >/dev/null || (apt-get update -qq && apt-get install -qq -y --no-install-recommends radosgw ceph-mon ceph-osd)
	$(RUN) pytest -m radosgw

test-pgbouncer: environment
	command -v pgbouncer >/dev/null || (apt-get update -qq && apt-get install -qq -y --no-install-recommends pgbouncer)
	$(RUN) pytest -m pgbouncer

# What only peers and plots need is no dependency. radosgw, rclone and awscli (Debian) are left out if they are not there.
bench: environment
	$(UV) run --no-sync --extra local --with matplotlib --with pymatting --with scikit-image --with s5cmd \
	    python -m bg_pipeline_tests.benchmarks
test-celery: environment
	command -v redis-server >/dev/null && command -v rabbitmqctl >/dev/null || (apt-get update -qq && apt-get install -qq -y --no-install-recommends redis-server rabbitmq-server)
	$(RUN) pytest -m celery -n 2

test-image: environment
	command -v debootstrap >/dev/null || (apt-get update -qq && apt-get install -qq -y --no-install-recommends debootstrap)
	$(RUN) pytest -m image

dev: export DAGSTER_HOME := $(CURDIR)/.dagster
dev: environment
	$(RUN) python -m bg_pipeline.orchestration.home
	$(RUN) dg dev --host 127.0.0.1

# --target keeps pip away from the system's packages, which it may be forbidden to touch.
$(CURDIR)/.tools/bin/uv:
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools "uv>=0.8,<1"
