"""What the package is made of can be reached by name."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import lnf_core


def test_no_function_stands_where_a_module_of_its_name_is_looked_for() -> None:
    """``import lnf_core.a.b as b`` gives what ``lnf_core.a`` calls b. Commands are reached by ``lnf_core.cli.app``."""
    for found in pkgutil.walk_packages(lnf_core.__path__, "lnf_core."):
        package, _, name = found.name.rpartition(".")
        if package != "lnf_core.cli":
            assert isinstance(getattr(importlib.import_module(package), name, None), ModuleType | None), found.name
