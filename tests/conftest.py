"""What every test can rely on: the real data where it is at hand, one thread, no deadlines."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Read by NumPy while it is imported, and by PyTorch in the processes that tests start: beside another test threads only
# wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What takes seconds to import is imported by what needs it: the process that only hands out tests needs none of it.

# A loaded machine is slow, not wrong.
settings.register_profile("lnf", deadline=None)
settings.load_profile("lnf")


def pytest_configure() -> None:
    # What auto takes must not depend on what was compiled on this machine before; engines are tested by name.
    os.environ["LNF_ENGINE"] = "eager"
    # Clients read all authorities of the world anew for each request; nothing here is served under a certificate.
    os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Two processes share the files (Makefile): the long ones first, and no process waits for the other at the end.
    count = Counter(item.path for item in items)
    long = {item.path for item in items if item.get_closest_marker("browser") or item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in long, -count[item.path]))


def pytest_collection_finish() -> None:
    import torch

    # The models under test are tiny: a second thread costs more than it brings, and sums keep their order.
    torch.set_num_threads(1)
    # Libraries and tests are half a million objects that live to the end; a twelfth of the time went into walking them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(autouse=True)
def _exact_products(request: pytest.FixtureRequest) -> Iterator[None]:
    """On a GPU float32 means float32: cuDNN's LSTMs would take TensorFloat-32 by themselves."""
    import torch

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = "cuda" not in request.keywords
    yield
    torch.backends.cudnn.allow_tf32 = before


@pytest.fixture(scope="session")
def bfloat16() -> None:
    """Skips the test where the processor has no LSTM in bfloat16, not even an emulated one."""
    from lnf_core.errors import TrainingError
    from lnf_core.training.runtime import check_bfloat16

    try:
        check_bfloat16("cpu")
    except TrainingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kernels() -> None:
    """The kernels of ``numba_cpu``: the first process of a run that needs them compiles them for all the others."""
    from lnf_core import engines

    engines.warm_up()


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the real data: ``LNF_DATA_DIR``, else ``../shared/data``. Skips the test where neither is."""
    from lnf_core.data import DATASETS

    named = os.environ.get("LNF_DATA_DIR")
    root = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    missing = [file for info in DATASETS.values() for file in info.files if not (root / file).is_file()]
    if missing:
        where = "LNF_DATA_DIR" if named else "../shared/data (LNF_DATA_DIR is not set)"
        pytest.skip(f"real data not at hand: {where} lacks {', '.join(missing)}")
    return root
