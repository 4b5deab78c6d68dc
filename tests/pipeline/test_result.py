"""result.json: what its writer refuses, its reader gives back or names, and its users take for unfinished."""

import json

import pytest

from inflate_shrink.config import Config
from inflate_shrink.errors import InputError
from inflate_shrink.pipeline.result import RESULT, finished_result, read_result, write_result


def test_what_is_written_is_read(result_of, tmp_path):
    values = result_of(Config(), name="B")
    write_result(tmp_path, values)
    found = read_result(tmp_path / RESULT)
    assert {key: found[key] for key in values if key != "data"} == {
        key: value for key, value in values.items() if key != "data"
    }
    # No name, and what is not said.
    assert (found["data"], found["regions"], found["rerank"]) == (
        "unnamed",
        None,
        None,
    )
    assert finished_result(tmp_path) == found


@pytest.mark.parametrize(
    "key, value",
    [("name", 3), ("seed", True), ("evaluations", {}), ("data", "a b"), ("config", {"model": {}}), ("scoring", "dot")],
)
def test_what_is_no_result_is_neither_written_nor_read(result_of, tmp_path, key, value):
    values = result_of(Config(), **{key: value})
    with pytest.raises(InputError, match=f"{RESULT}: would be no result: '{key}"):
        write_result(tmp_path, values)
    assert not list(tmp_path.iterdir())
    (tmp_path / RESULT).write_text(json.dumps(values))
    with pytest.raises(InputError, match=f"{RESULT}: '{key}.*; evaluate this run again"):
        read_result(tmp_path / RESULT)
    assert finished_result(tmp_path) is None


def test_a_run_without_a_result(tmp_path):
    assert finished_result(tmp_path) is None
    (tmp_path / RESULT).write_bytes(b"\xff\xfe")
    assert finished_result(tmp_path) is None
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read_result(tmp_path / RESULT)
    (tmp_path / RESULT).write_text("[" * 100_000)
    with pytest.raises(InputError, match="cannot be read as JSON: maximum recursion"):
        read_result(tmp_path / RESULT)


def test_a_result_of_before_there_were_fragments_or_with_an_endless_number(result_of, tmp_path):
    values = result_of(Config())
    del values["fragments"]
    (tmp_path / RESULT).write_text(json.dumps(values))
    with pytest.raises(InputError, match="'fragments' must be a number, found null"):
        read_result(tmp_path / RESULT)
    values = result_of(Config())
    values["evaluations"]["full"]["images"] = 10**400
    (tmp_path / RESULT).write_text(json.dumps(values))
    with pytest.raises(InputError, match="'evaluations.full.images' must be a number of 0 or more"):
        read_result(tmp_path / RESULT)
