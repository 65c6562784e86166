"""Whatever a service's OpenAPI document allows is answered as the document says, and what it does not allow is refused.

Requests are made from the document: each form at its bounds, each value wrong in turn, some at random. `make fuzz` makes more.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test

from tests.openapikit import SERVICES, Asked

RANDOM = int(os.environ.get("FUZZ_EXAMPLES", "3"))  # requests at random for each operation, besides those at the bounds

# rules that a form cannot tell: what the problem document says when one of them is broken
BEYOND_FORM = (
    "cursor: not ",  # of a page before
    "either call_id or ",
    "reason: ",  # of a case, one of those that are set up
    "matchers: ",
    " is not a label: ",
    ": String should have at least 1 character",  # and more than blanks
    "its end is ",
    "give either `ends` or `duration_s`",
    "a silence ",
    "at: expected a time from 2000 to 2199",
)
# paths that another one with a parameter fits too: a wrong method is for that other one to refuse
SHADOWED = {"POST /api/v1/incidents/acknowledge", "POST /api/v1/silences/preview"}


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with Asked.of(request.param, tmp_path_factory.mktemp(request.param)) as asked:
        yield asked


def excluded(operation: schemathesis.APIOperation, status: int, detail: str) -> list[str]:
    """Checks that do not fit this answer."""
    names = ["ignored_auth"]  # asks by itself, over the network; tests of permissions walk every route without a token
    if operation.label in SHADOWED:
        names += ["unsupported_method", "allow_header_conformance"]
    if status == 503:
        names.append("not_a_server_error")  # where it is documented it is no fault
    if status in (400, 422) and any(one in detail for one in BEYOND_FORM):
        names.append("positive_data_acceptance")
    return names


def examined(service: Asked, operation: schemathesis.APIOperation) -> Counter[int]:
    """Ask everything of one operation; how often each status was the answer. Raises what schemathesis finds."""
    statuses: Counter[int] = Counter()

    def answered_as_documented(case: schemathesis.Case) -> None:
        answer = service.ask(case)
        statuses[answer.status_code] += 1
        problem = answer.headers.get("content-type") == "application/problem+json"
        detail = answer.json().get("detail", "") if problem else ""
        skipped = CHECKS.get_by_names(excluded(operation, answer.status_code, detail))
        case.validate_response(answer, excluded_checks=skipped)

    how = HypothesisTestConfig(
        project=service.schema.config,
        modes=[HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING],
        settings=hypothesis.settings(
            max_examples=RANDOM,
            derandomize=RANDOM < 10,
            phases=(Phase.explicit, Phase.generate),
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    create_test(operation=operation, test_func=answered_as_documented, config=how)()
    return statuses


def test_every_operation_answers_as_its_document_says(service: Asked, subtests: pytest.Subtests) -> None:
    load_all_checks()
    statuses: Counter[int] = Counter()
    for operation in service.operations():
        with subtests.test(operation.label):
            statuses += examined(service, operation)
    assert {200, 405} <= set(statuses)
    assert 401 not in statuses or service.name == "relay" or statuses[401] < statuses[200]
