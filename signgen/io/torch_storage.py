"""Tensors by the bytes that hold them: what torch's file formats call storages."""

from collections.abc import Sequence
from functools import reduce
from operator import mul

import torch
from torch import Tensor

STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def strided_tensor(
    content: bytes, dtype: torch.dtype, offset: int, shape: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """A tensor of its own memory. ValueError where it reaches beyond `content`, or repeats what it holds."""
    count = len(content) // dtype.itemsize
    wanted: int = reduce(mul, shape, 1)
    last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
    if min(offset, *shape, *stride, 0) < 0 or wanted > count or (wanted and last >= count):
        raise ValueError("a tensor reaches beyond its storage")
    if not wanted:
        return torch.empty(tuple(shape), dtype=dtype)
    storage = torch.frombuffer(bytearray(content), dtype=dtype, count=count)
    return storage.as_strided(tuple(shape), tuple(stride), offset).clone()
