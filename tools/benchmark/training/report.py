"""What :func:`.measure.measure_training` found, as text and as Markdown."""

from __future__ import annotations

from inflate_shrink.formatting import markdown_table

PARTS = ("encoding", "scoring", "teacher", "loss", "backward", "optimizer")


def case_text(one: dict) -> str:
    """Return a case on two lines."""
    sizes = f"{one['step']:<4} hidden {one['hidden']:>3}, batch {one['batch']:>3}, vocabulary {one['vocabulary']:>5}"
    speed = f"{one['pairs_per_second']:7.1f} pairs/s"
    if one["ratio"]:
        speed += f", PyTorch {one['torch_pairs_per_second']:7.1f}: {one['ratio']:.2f} times as fast"
    shares = ", ".join(f"{part} {share:.0f} %" for part, share in _shares(one).items() if share)
    return f"{sizes}: {speed}\n     {shares}; reading data, ahead: {one['ours']['data']:.0f} ms a batch"


def training_markdown(result: dict, command: str) -> str:
    """Write the whole result as a page."""
    found = result["environment"]
    versions = found["versions"]
    lines = [
        "# Speed of training", "", f"    {command}", "",
        f"{found['date'][:10]}, seed {result['seed']}, {found['processor']}, {result['threads']} threads, "
        f"Paddle {versions['paddle']}, PyTorch {versions['torch'] or '(not installed)'}, "
        f"load {found['load']:g} of other work before.",
        f"Medians of updates in turn, float32, `model.score_padding: {result['padding']}`.", "",
    ]  # fmt: skip
    header = ["step", "hidden", "batch", "vocabulary", "pairs/s", "PyTorch", "ratio", *PARTS]
    return "\n".join([*lines, markdown_table(header, map(_row, result["cases"])), ""])


def _row(one: dict) -> list[str]:
    torch = [f"{one['torch_pairs_per_second']:.1f}", f"{one['ratio']:.2f}"] if one["ratio"] else ["", ""]
    sizes = [one["step"], str(one["hidden"]), str(one["batch"]), f"{one['vocabulary']:,}"]
    return [*sizes, f"{one['pairs_per_second']:.1f}", *torch, *(f"{share:.0f} %" for share in _shares(one).values())]


def _shares(one: dict) -> dict[str, float]:
    """Return the percentage of an update that each part takes."""
    return {part: 100 * one["ours"].get(part, 0.0) / one["ours"]["update"] for part in PARTS}
