"""The five data sets, and those of one's own: find, check, read, batch."""

from __future__ import annotations

from lnf_core.data.augment import random_transpose
from lnf_core.data.batching import SequenceBatch, batch_indices, collate
from lnf_core.data.dataset import Dataset, load_dataset
from lnf_core.data.fetch import download
from lnf_core.data.files import data_root, verify
from lnf_core.data.own import music_dataset, text_dataset
from lnf_core.data.registry import DATASETS, DatasetInfo, Domain, dataset_info, sounding_shift, steps_per_beat
from lnf_core.data.rolls import add_dummy_key
from lnf_core.data.vocabulary import Vocabulary

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetInfo",
    "Domain",
    "SequenceBatch",
    "Vocabulary",
    "add_dummy_key",
    "batch_indices",
    "collate",
    "data_root",
    "dataset_info",
    "download",
    "load_dataset",
    "music_dataset",
    "random_transpose",
    "sounding_shift",
    "steps_per_beat",
    "text_dataset",
    "verify",
]
