"""The demo's table. Its steps are a pipeline: tests/tools/test_pipeline_tool.py."""

from inflate_shrink.pipeline.demo import format_table


def test_table_stands_beside_the_paper():
    sides = {"t2i": {"r1": 1.25, "r5": 2, "r10": 3}, "i2t": {"r1": 4, "r5": 5, "r10": 6}, "images": 10, "captions": 50}
    row = {"name": "I-B-F", "codes": 0, "fragments": 1, "evaluations": {"full": sides}, "latency": {"encode_ms": 0.5, "score_ms": 0.25}}
    table = format_table([row])
    assert "1.2/2.0/3.0" in table and "4.0/5.0/6.0" in table
    assert "62.2/87.0/92.5" in table and "77.1/93.8/96.9" in table  # Table 2, Flickr30K
    assert "10 test images, 50 captions" in table
