"""A damaged or unsuitable encoder is named in one line."""

import json
import os
import shutil

import paddle
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.search.encoder.encoders import ImageEncoder, QueryEncoder
from inflate_shrink.search.encoder.files import GRAPHS, read_meta, write_meta


@pytest.fixture
def encoder(exported, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(exported()[1], tmp_path / "encoder")


def refusal(call, *arguments, **keys):
    with pytest.raises(InputError) as caught:
        call(*arguments, **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_meta(exported):
    checkpoint, directory = exported()
    meta = read_meta(directory, verify=True)
    assert (meta["side"], meta["dim"], meta["paddle"], meta["positions"]) == ("text", 8, paddle.__version__, 6)
    assert meta["tokenizer"] == {"text_length": 6, "first_token": "[CLS]", "last_token": "[SEP]"}
    assert meta["model"]["checkpoint"] == str(checkpoint.directory) and len(meta["model"]["fingerprint"]) == 16
    assert {*meta["files"]} | {"encoder.json"} == {*os.listdir(directory)} and max(meta["difference"].values()) < 1e-6


@pytest.mark.parametrize("name", ["model.pdiparams", "vocab.txt"])
def test_damaged_file(encoder, name):
    whole = (encoder / name).read_bytes()
    (encoder / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert f"{encoder / name}: its checksum is not the one in encoder.json" in refusal(QueryEncoder, encoder)
    (encoder / name).write_bytes(whole[:-1])
    assert f"{encoder / name}: has {len(whole) - 1} bytes, encoder.json says {len(whole)}" in refusal(
        QueryEncoder, encoder
    )
    (encoder / name).unlink()
    assert f"{encoder / name}: missing" in refusal(QueryEncoder, encoder)


def test_large_files_are_read_to_verify_only(encoder, monkeypatch):
    from inflate_shrink.search.encoder import files

    monkeypatch.setattr(files, "SMALL", 0)
    with open(encoder / "model.pdiparams", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    read_meta(encoder)
    assert "model.pdiparams: its checksum" in refusal(read_meta, encoder, verify=True)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda text: text.replace('"text_length": 6', '"text_length": 7'),
            r"encoder.json: damaged \(its checksum is wrong\)",
        ),
        (lambda text: text[:-3], r"encoder.json: is no JSON \(.*\); it is damaged, copy it"),
        (lambda text: "[]", r"encoder.json: its content: expected a mapping, found \[\]; it is damaged"),
    ],
)
def test_damaged_meta(encoder, change, message):
    (encoder / "encoder.json").write_text(change((encoder / "encoder.json").read_text()))
    with pytest.raises(InputError, match=message):
        QueryEncoder(encoder)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"tokenizer": 5}, "tokenizer: expected a mapping, found 5"),
        (
            {"tokenizer": {"text_length": 10**12, "first_token": "", "last_token": ""}},
            "tokenizer.text_length: expected a whole number from 1 to 65536, found 1000000000000",
        ),
        (
            {"tokenizer": {"text_length": 6, "first_token": 1, "last_token": ""}},
            "tokenizer.first_token: expected a text, found 1",
        ),
        ({"positions": -7}, "positions: expected a whole number from 0 to 65536, found -7"),
        ({"side": "audio"}, "side: expected 'text' or 'image', found 'audio'"),
        ({"dim": "8"}, "dim: expected a whole number from 1, found '8'"),
        ({"model": {}}, "model.fingerprint: it is missing"),
    ],
)
def test_meta_with_a_right_checksum(encoder, changes, message):
    write_again(encoder, **changes)
    assert message in refusal(QueryEncoder, encoder)


def test_files_outside_and_files_that_are_missing(encoder, tmp_path):
    (encoder / "vocab.txt").rename(tmp_path / "vocab.txt")
    (encoder / "vocab.txt").symlink_to(tmp_path / "vocab.txt")
    assert "vocab.txt: is a symbolic link out of" in refusal(QueryEncoder, encoder)
    (encoder / "vocab.txt").unlink()
    write_again(encoder)
    assert "files: model.pdiparams, vocab.txt or a graph is missing" in refusal(QueryEncoder, encoder)


def test_another_format(encoder):
    write_again(encoder, format=2)
    assert "format 2, this version reads 1" in refusal(QueryEncoder, encoder)


def test_no_encoder(tmp_path):
    assert f"{tmp_path}: not an exported encoder: encoder.json is missing; tools/export.py makes an encoder" == refusal(
        QueryEncoder, tmp_path
    )
    assert "nowhere: no such directory" in refusal(QueryEncoder, tmp_path / "nowhere")


def test_the_other_side(encoder):
    assert "an encoder of texts, expected one of images" in refusal(ImageEncoder, encoder)


def test_backends(encoder):
    assert "is one of paddle, onnx, found 'torch'" in refusal(QueryEncoder, encoder, backend="torch")
    assert "there is no ONNX file; add it with tools/index.py onnx" in refusal(QueryEncoder, encoder, backend="onnx")


@pytest.mark.parametrize(
    "onnx, hint",
    [(False, "export it again with this version"), (True, "or use model.onnx beside it with the backend onnx")],
)
def test_graph_of_another_paddle(encoder, monkeypatch, onnx, hint):
    for name in GRAPHS:
        (encoder / name).unlink(missing_ok=True)
    (encoder / "model.json").write_text("{}")
    if onnx:
        (encoder / "model.onnx").write_text("")
    write_again(encoder, paddle="3.3.1")
    monkeypatch.setattr(paddle, "__version__", "2.6.2")
    message = refusal(QueryEncoder, encoder, backend="paddle")
    assert message.startswith(
        f"{encoder}/model.json: written by Paddle 3.3.1, cannot be opened by Paddle 2.6.2"
    ) and message.endswith(hint)


@pytest.mark.skipif(
    paddle.__version__.startswith("2."), reason="Paddle 2 ends the process; damage is found by the checksum before"
)
def test_graph_that_cannot_be_opened(encoder):
    (encoder / "model.json").write_text("{}")
    write_again(encoder)
    assert (
        f"model.json: written by Paddle {paddle.__version__}, cannot be opened by Paddle {paddle.__version__}"
        in refusal(QueryEncoder, encoder)
    )


def test_onnx_file_that_cannot_be_opened(encoder):
    (encoder / "model.onnx").write_text("no graph")
    write_again(encoder)
    assert "model.onnx: cannot be opened by onnxruntime" in refusal(QueryEncoder, encoder)


def write_again(directory, **changes):
    """encoder.json of the files as they are now."""
    meta = json.loads((directory / "encoder.json").read_text())
    (directory / "encoder.json").unlink()
    write_meta(directory, {**{key: value for key, value in meta.items() if key not in ("crc32", "files")}, **changes})
