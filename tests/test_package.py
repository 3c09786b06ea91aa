"""What the package is made of can be reached by name."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import lnf_core

ROOT = Path(__file__).resolve().parents[1]


def test_no_function_stands_where_a_module_of_its_name_is_looked_for() -> None:
    """``import lnf_core.a.b as b`` gives what ``lnf_core.a`` calls b. Commands are reached by ``lnf_core.cli.app``."""
    for found in pkgutil.walk_packages(lnf_core.__path__, "lnf_core."):
        package, _, name = found.name.rpartition(".")
        if package != "lnf_core.cli":
            assert isinstance(getattr(importlib.import_module(package), name, None), ModuleType | None), found.name


def test_import_is_light() -> None:
    said = "'torch' in sys.modules, lnf_core.__version__, 'load' in dir(lnf_core)"
    probe = f"import sys, lnf_core, lnf_core.cli; print({said})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", lnf_core.__version__, "True"]


def test_every_exported_name_is_there() -> None:
    for name in lnf_core.__all__:
        assert getattr(lnf_core, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lnf_core.nothing


def test_the_package_never_imports_the_app() -> None:
    for path in (ROOT / "lnf_core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not any(name.split(".")[0] in ("app", "gradio") for name in names), path
