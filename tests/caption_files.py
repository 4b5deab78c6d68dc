"""A small valid file of every caption format, and the pieces of the vocabulary that the released ids belong to."""

import json

# [CLS] is 3 here, not 101: the ids of the special tokens are the vocabulary's own
TOKENS = ["[PAD]", "[UNK]", "[SEP]", "[CLS]", "[MASK]", "a", "dog", "##s", "été", "."]

VALID = {
    "flickr": "1.jpg#0\tA dog.\n1.jpg#1\tA café.\n2.jpg#0\tAn owl.\n",
    "karpathy": json.dumps(
        {
            "images": [
                {
                    "filename": "1.jpg",
                    "split": "restval",
                    "sentences": [{"raw": "A dog.", "tokens": ["a", "dog"]}, {"raw": "A café."}],
                },
                {"filename": "2.jpg", "split": "test", "sentences": [{"raw": "An owl."}]},
            ],
            "dataset": "mine",
        }
    ),
    "coco": json.dumps(
        {
            "images": [{"id": 7, "file_name": "1.jpg"}, {"id": 9, "file_name": "2.jpg"}],
            "annotations": [
                {"id": 1, "image_id": 7, "caption": "A dog."},
                {"id": 2, "image_id": 7, "caption": "A café."},
                {"id": 3, "image_id": 9, "caption": "An owl."},
            ],
        }
    ),
    "csv": 'image,caption\n1.jpg,A dog.\n1.jpg,"A café."\n2.jpg,An owl.\n',
    "tsv": "image\tcaption\n1.jpg\tA dog.\n1.jpg\tA café.\n2.jpg\tAn owl.\n",
    "jsonl": '{"image": "1.jpg", "captions": ["A dog.", "A café."]}\n{"image": "2.jpg", "caption": "An owl.", "split": null}\n',
    "json": json.dumps(
        [{"image": "1.jpg", "captions": ["A dog.", "A café."], "split": None}, {"image": "2.jpg", "caption": "An owl."}]
    ),
    "scan": "".join(f"A dog {i}.\n" for i in range(10)),
    "released": "".join(f"1 5 {6 + i % 3} 9\n" for i in range(10)),
}
NAMES = {"scan": "train_caps.txt", "released": "train_caps.txt.bt"}
