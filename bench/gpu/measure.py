"""Verifies and times convc's CUDA kernels beside PyTorch's cuDNN: python3 measure.py --help; README.md says more."""

from measuring import main

if __name__ == "__main__":
    main.main()
