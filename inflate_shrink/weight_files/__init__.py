"""Files of weights, read as arrays: safetensors, and what ``paddle.save`` and ``torch.save`` wrote. Nothing in them can run."""
