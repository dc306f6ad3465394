"""`python -m benchmarks` is `minigen bench` from the repository."""

import sys

from minigen.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
