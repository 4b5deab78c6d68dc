"""Files of weights, read as arrays: safetensors, and what Paddle and PyTorch saved. Nothing in them can run."""
