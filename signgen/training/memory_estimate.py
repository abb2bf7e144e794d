"""What a training takes, found without taking it: one step on torch's meta device, where tensors have shapes only."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode

from signgen.data.pairs import UNIFORMS
from signgen.runtime.device import PRECISIONS
from signgen.runtime.ranks import process_count
from signgen.training.batch_shares import BatchShares, share_batch
from signgen.training.objective import Batch, Objective
from signgen.training.settings import TrainingSettings

KEYPOINTS = 133
METHOD = (
    "weights, gradients, moments and averages are counted; activations are the most memory that the tensors of one "
    "forward and backward pass take at a time, followed operation by operation on the meta device, with attention that "
    "keeps no matrix of weights; CUDA's context and the allocator's gaps, about 1-2 GiB, come on top"
)


@dataclass(frozen=True)
class Estimate:
    """A process's share of a step. parameters, trained: per part. Memory in bytes. flops: of a whole step."""

    parameters: dict[str, int]
    trained: dict[str, int]
    weights: int
    gradients: int
    optimizer: int
    ema: int
    activations: int
    activations_checkpointed: int
    flops: float
    shares: BatchShares
    checkpointing: bool

    @property
    def total(self) -> int:
        """Bytes altogether, with gradient checkpointing if the settings ask for it."""
        activations = self.activations_checkpointed if self.checkpointing else self.activations
        return self.weights + self.gradients + self.optimizer + self.ema + activations


def estimate(objective: Callable[..., Objective], settings: TrainingSettings) -> Estimate:
    """The estimate of a training; `objective` is the class of its objective."""
    networks = {
        checkpointing: meta_objective(objective, replace(settings, gradient_checkpointing=checkpointing))
        for checkpointing in (False, True)
    }
    network = networks[settings.gradient_checkpointing]
    shares = share_batch(settings, process_count(), type(network))
    batch = meta_batch(shares.device_batch, network.size, network.noise_count)
    precision = settings.precision
    trainable = [parameter for parameter in network.parameters_to_train() if parameter.requires_grad]
    trained = sum(parameter.numel() for parameter in trainable)
    moments = 2 if settings.optimizer.eight_bit else 8
    return Estimate(
        parameters={name: _count(part.parameters()) for name, part in network.named_children()},
        trained={name: _count(part.parameters()) for name, part in network.trainable().items()},
        weights=sum(value.numel() * value.element_size() for value in network.state_dict().values()),
        gradients=4 * trained,
        optimizer=moments * trained,
        ema=4 * trained if settings.ema else 0,
        activations=peak_memory(networks[False], batch, precision),
        activations_checkpointed=peak_memory(networks[True], batch, precision),
        flops=batch_flops(network, batch, precision) * shares.accumulation * shares.processes,
        shares=shares,
        checkpointing=settings.gradient_checkpointing,
    )


def meta_objective(objective: Callable[..., Objective], settings: TrainingSettings) -> Objective:
    """An objective on the meta device, ready for a step; it keeps no gradients, which are counted apart."""
    with torch.device("meta"):
        network = objective(settings, weights=False)
    network.freeze()
    network.train()
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(lambda parameter: setattr(parameter, "grad", None))
    return network


def peak_memory(network: Objective, batch: Batch, precision: str) -> int:
    """The most bytes that the tensors of a forward and backward pass take at a time."""
    with LiveMemory() as memory, lean_kernels(precision):
        network(batch)["loss"].backward()
    return memory.peak


def batch_flops(network: Objective, batch: Batch, precision: str) -> float:
    """Floating-point operations of a forward and backward pass. (Apart, for the counter keeps tensors alive.)"""
    with FlopCounterMode(display=False) as counter, lean_kernels(precision):
        network(batch)["loss"].backward()
    return float(counter.get_total_flops())


def meta_batch(count: int, size: tuple[int, int], noise: int) -> Batch:
    """A batch of PairDataset samples without content."""
    frames = {
        name: torch.empty((count, *size, 3), dtype=torch.uint8, device="meta")
        for name in ("source", "target", "pose", "source_pose", "coarse")
    }
    shapes = {
        "keypoints": (count, KEYPOINTS, 3),
        "source_keypoints": (count, KEYPOINTS, 3),
        "noise": (count, noise),
        "uniform": (count, UNIFORMS),
    }
    return frames | {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


class LiveMemory(TorchDispatchMode):
    """The bytes of all tensors made inside that are alive, and the most there were at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {id(tensor.untyped_storage()) for tensor in _tensors((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if id(storage) not in given and storage not in self._known:
                self._known.add(storage)
                self.now += storage.nbytes()
                weakref.finalize(storage, self._release, storage.nbytes())
        self.peak = max(self.peak, self.now)
        return result

    def _release(self, count: int) -> None:
        self.now -= count


def _tensors(values: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


# What CUDA's autocast computes in 16 bits, and what in 32; everything else follows its inputs.
LOW_PRECISION = ("linear", "conv2d")
FULL_PRECISION = ("layer_norm", "group_norm", "cross_entropy")


@contextmanager
def lean_kernels(precision: str) -> Iterator[None]:
    """Compute as an accelerator does at this precision, where the meta device does otherwise: 16 bits, and attention
    that keeps no matrix of weights.

    Autocast knows no meta device, and modes that see torch's functions do not see what checkpointing computes anew:
    the functions themselves are exchanged.
    """
    dtype = PRECISIONS[precision]
    functions: dict[str, Any] = {name: _in_dtype(getattr(F, name), dtype) for name in LOW_PRECISION}
    functions |= {name: _in_dtype(getattr(F, name), torch.float32) for name in FULL_PRECISION}

    def attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, scale: float | None = None, **__: Any) -> Tensor:
        rows = (tensor.to(dtype) for tensor in (query, key, value))
        return torch.ops.aten._scaled_dot_product_flash_attention(*rows, scale=scale)[0]

    exchanged = functions | {"scaled_dot_product_attention": attention}
    originals = {name: getattr(F, name) for name in exchanged}
    try:
        for name, function in exchanged.items():
            setattr(F, name, function)
        yield
    finally:
        for name, function in originals.items():
            setattr(F, name, function)


def _in_dtype(function: Callable[..., Tensor], dtype: torch.dtype) -> Callable[..., Tensor]:
    def cast(leaf: Any) -> Any:
        return leaf.to(dtype) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf

    def computed(*args: Any, **kwargs: Any) -> Tensor:
        args, kwargs = tree_map(cast, (args, kwargs))
        return function(*args, **kwargs)

    return computed


def _count(parameters: Iterator[torch.nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)
