"""Elementwise, strictly increasing maps whose parameters a network emits."""

from lnf_core.config import TransformName
from lnf_core.transforms.affine import Affine
from lnf_core.transforms.base import ElementwiseTransform
from lnf_core.transforms.nlsq import NLSq

TRANSFORMS: dict[TransformName, ElementwiseTransform] = {"affine": Affine(), "nlsq": NLSq()}

__all__ = ["TRANSFORMS", "Affine", "ElementwiseTransform", "NLSq"]
