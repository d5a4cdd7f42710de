"""The command `tern`, as `python -m tern`."""

from . import _main

raise SystemExit(_main())
