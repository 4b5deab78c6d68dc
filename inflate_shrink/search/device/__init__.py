"""Late interaction on a GPU: Paddle's operators, and a fused CUDA kernel where ``nvcc`` or a built library is at hand.

**Untested on a GPU**: the Paddle path is tested on the CPU, the kernel is compiled for sm_70 to sm_90 and its
algorithm is run on the CPU (docs/gpu.md). ``python -m inflate_shrink.search.device.check`` tests both on a GPU.
"""
