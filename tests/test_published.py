"""The paper's numbers were copied right."""

from inflate_shrink.published import published_table


def test_table_2():
    table = published_table("table2")
    assert list(table) == ["B", "F", "B-F", "I", "I-F", "I-B", "I-B-F"]
    assert table["I-B"]["flickr30k"]["t2i"] == [64.5, 88.2, 92.4]
    assert table["F"]["coco1k"]["i2t"] == [69.4, 92.7, 97.1]
    for row in table.values():
        for data in ("flickr30k", "coco1k"):
            for side in ("t2i", "i2t"):
                assert row[data][side] == sorted(row[data][side]) and len(row[data][side]) == 3
