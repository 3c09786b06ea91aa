"""``python -m lnf_core``."""

from lnf_core.cli import main

main()
