"""Updates of training timed beside the same updates in PyTorch, each side in a process of its own."""
