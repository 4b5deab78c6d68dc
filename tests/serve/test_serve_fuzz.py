"""Requests made up from the service's own description: none ends it, and every answer is as described."""

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance  # noqa: E402

from inflate_shrink.serve.app import build_app  # noqa: E402

OPERATIONS = {
    "POST /search": 40,
    "POST /search/image": 25,
    "GET /images/{id}": 25,
    "GET /match/{id}": 25,
    "GET /attention/{id}": 15,
    "GET /about": 2,
    "GET /health": 2,
    "GET /metrics": 2,
}  # so many requests each


@pytest.fixture(scope="module")
def described(collection):
    """The operations of the description, by method and path."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", build_app(collection))
    return {operation.ok().label: operation.ok() for operation in schema.get_all_operations()}


def test_every_operation_is_tried(described):
    assert set(described) == set(OPERATIONS)


@pytest.mark.parametrize("label", OPERATIONS)
def test_nothing_that_is_asked_ends_the_service(described, label):
    @settings(
        max_examples=OPERATIONS[label],
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=described[label].as_strategy())
    def ask(case):
        case.call_and_validate(checks=[not_a_server_error, response_schema_conformance, status_code_conformance])

    ask()
