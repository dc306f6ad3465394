"""python -m minigen: the command line."""

from minigen.cli import main

raise SystemExit(main())
