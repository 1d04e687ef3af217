"""What travels in a bundle beside the kernels: it verifies and times them on the machine that has the GPU."""
