"""Speed of search: the kernel beside its limit and its peers, and the paper's Tables 3 and 4 on this machine."""
