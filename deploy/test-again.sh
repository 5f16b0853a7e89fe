#!/bin/sh
# The tests that failed while both halves ran beside each other run once more, alone: two suites keep a machine of two cores
# so busy that time-outs strike. What fails again has failed. Called by `make test`, with SUITE_EXEC: how a fresh suite runs
# a command, and SUITE_TESTS: where the tests of the second half lie.
set -eu
cd "$(dirname "$0")/.."

# again NAME PATHS…: one half. Nothing is excused but tests that failed: not a suite that did not start, not a test
# file that could not be read (status 2).
again() {
    name=$1
    shift
    status=$(cat ".pytest_cache/$name.status")
    [ "$status" != 0 ] || return 0
    if [ "$status" != 1 ] || ! [ -s ".pytest_cache/$name/v/cache/lastfailed" ]; then
        return "$status"
    fi
    echo "once more, alone: what failed of $name"
    env $SUITE_EXEC .venv/bin/pytest -o "cache_dir=.pytest_cache/$name" --last-failed "$@"
}

# Both, also when the first fails again: so one run tells all that is wrong.
code=0
again parts || code=$?
# shellcheck disable=SC2086  # a list
again suite $SUITE_TESTS || code=$?
exit "$code"
