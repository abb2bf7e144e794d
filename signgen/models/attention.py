"""Cross-attention to the source tokens, with keys and values that are computed once per video."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from torch import Tensor


@dataclass
class SourceContext:
    """Keys and values of the source tokens for every cross-attention layer of a UNet.

    keys, values: one tensor per layer, (B, heads, tokens, head width); B is 1 where all rows share one source.
    null_rows: how many leading rows of the UNet's batch see no source. Their context is zero and the projections have
    no bias, so their attention is the output bias alone (no product is computed for them).
    """

    keys: list[Tensor]
    values: list[Tensor]
    null_rows: int = 0

    def for_branches(self, conditioned: int, null_rows: int) -> "SourceContext":
        """The context of a batch of `null_rows` rows without a source, then the source's rows `conditioned` times."""

        def rows(tensors: list[Tensor]) -> list[Tensor]:
            if conditioned == 1 or tensors[0].shape[0] == 1:
                return tensors
            return [tensor.repeat(conditioned, 1, 1, 1) for tensor in tensors]

        return SourceContext(rows(self.keys), rows(self.values), null_rows)

    def with_tokens(self, other: "SourceContext") -> "SourceContext":
        """This context and more tokens behind its own; where one of the two is for all rows, it is repeated."""
        count = max(len(self.keys[0]), len(other.keys[0]))

        def joined(ours: list[Tensor], theirs: list[Tensor]) -> list[Tensor]:
            pairs = zip(ours, theirs, strict=True)
            return [torch.cat([half.expand(count, -1, -1, -1) for half in pair], dim=2) for pair in pairs]

        return SourceContext(joined(self.keys, other.keys), joined(self.values, other.values))


class SourceAttention:
    """Attention processor that reads a layer's keys and values from a SourceContext."""

    def __init__(self, layer: int) -> None:
        self.layer = layer

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: SourceContext | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        context = encoder_hidden_states
        if context is None:
            raise ValueError("source attention needs a SourceContext")
        rows, length, width = hidden_states.shape
        null_rows = context.null_rows
        bias = attn.to_out[0].bias
        if null_rows == rows:
            return bias.to(hidden_states.dtype).expand(rows, length, width)
        output = self._attend(attn, hidden_states[null_rows:], context)
        output = attn.to_out[1](attn.to_out[0](output))
        if null_rows:
            output = torch.cat([bias.to(output.dtype).expand(null_rows, length, width), output])
        return output

    def _attend(self, attn: Attention, hidden_states: Tensor, context: SourceContext) -> Tensor:
        key, value = context.keys[self.layer], context.values[self.layer]
        rows, length, _ = hidden_states.shape
        query = attn.to_q(hidden_states)
        # One source for all rows: their queries form one long sequence, so that keys and values are not repeated.
        query = query.view(key.shape[0], -1, attn.heads, query.shape[-1] // attn.heads).transpose(1, 2)
        output = F.scaled_dot_product_attention(query, key.to(query.dtype), value.to(query.dtype))
        return output.transpose(1, 2).reshape(rows, length, -1)


def project_tokens(layers: list[Attention], tokens: Tensor) -> SourceContext:
    """Keys and values of source tokens (B, T, C) for every layer."""

    def heads(layer: Attention, projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (layer.heads, -1)).transpose(1, 2)

    return SourceContext(
        keys=[heads(layer, layer.to_k(tokens)) for layer in layers],
        values=[heads(layer, layer.to_v(tokens)) for layer in layers],
    )
