"""`python -m signgen`, for launchers of Python modules: `torchrun -m signgen train ...`."""

import sys

from signgen.cli import main

if __name__ == "__main__":
    sys.exit(main())
