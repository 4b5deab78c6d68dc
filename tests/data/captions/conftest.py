"""A small file of every caption format, and the two ways to read one."""

import pytest

from caption_files import NAMES, TOKENS, VALID
from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions import CaptionOptions, read_captions
from inflate_shrink.errors import InputError


@pytest.fixture
def vocab(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def read(tmp_path, vocab):
    """A function: format, content (text or bytes), options -> captions; ``skip`` goes on after bad records."""

    def read(format, content, skip=False, name=None, split="", **options):
        path = tmp_path / (name or NAMES.get(format, f"captions.{format}"))
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        options.setdefault("vocab", vocab)
        return read_captions(
            [f"{split}={path}" if split else str(path)], format, BadRecords(skip), CaptionOptions(**options)
        )

    return read


@pytest.fixture
def rejected(read):
    """A function: the content is refused in one line that holds all the parts."""

    def rejected(format, content, *parts, **options):
        with pytest.raises(InputError) as caught:
            read(format, content, **options)
        message = str(caught.value)
        assert "\n" not in message
        for part in parts:
            assert str(part) in message, message

    return rejected


@pytest.fixture
def bad_record(read, rejected, capsys):
    """A function: the content is refused, or without its bad records read as ``left``: (image, text) pairs."""

    def bad_record(format, content, *parts, left, **options):
        rejected(format, content, *parts, "--skip-bad", **options)
        capsys.readouterr()
        assert [caption[:2] for caption in read(format, content, skip=True, **options)] == left
        skipped = capsys.readouterr().err
        assert "skipped: " in skipped
        for part in parts:
            assert str(part) in skipped

    return bad_record


@pytest.fixture
def valid():
    """Format -> the content of a valid file."""
    return VALID
