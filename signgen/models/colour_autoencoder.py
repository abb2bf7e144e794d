"""An autoencoder whose latents carry the image's colours exactly.

Chroma is what a small autoencoder learns last: images unlike its training come out grey. Here three latent channels
are the colours themselves, averaged over a latent's pixels, and the decoder adds detail to these colours enlarged.
"""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKLOutput
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from torch import Tensor, nn

from signgen.models.autoencoder import downscale

COLOURS = 3  # the first latent channels


class ColourAutoencoder(AutoencoderKL):
    """AutoencoderKL on blocks of pixels (`signgen.models.autoencoder`), its first three latents the mean colours.

    The network's own output for these three is not used. Its configuration is AutoencoderKL's.
    """

    def start_from_colours(self) -> None:
        """Make the decoder add nothing to the enlarged colours: training starts there."""
        nn.init.zeros_(self.decoder.conv_out.weight)
        nn.init.zeros_(self.decoder.conv_out.bias)

    def colour_latents(self, images: Tensor) -> Tensor:
        """Scaled latents (B, C, h, w) of images (B, 3, H, W) in [-1, 1] that hold their colours and no detail."""
        scale = downscale(self)
        height, width = images.shape[-2:]
        padded = F.pad(images.float(), (0, -width % scale, 0, -height % scale), mode="replicate")
        colours = F.avg_pool2d(padded, scale) * self.config.scaling_factor
        rest = self.config.latent_channels - COLOURS
        return torch.cat([colours, colours.new_zeros(len(colours), rest, *colours.shape[-2:])], dim=1)

    def encode(self, x: Tensor, return_dict: bool = True) -> AutoencoderKLOutput:
        """Blocks (B, 3 p^2, h, w) -> the distribution of unscaled latents; the colours have no spread."""
        mean, spread = self._encode(x).chunk(2, dim=1)
        colours = self._colours(x).to(mean.dtype)
        moments = torch.cat([colours, mean[:, COLOURS:], torch.zeros_like(colours), spread[:, COLOURS:]], dim=1)
        distribution = DiagonalGaussianDistribution(moments)
        distribution.std = torch.cat([torch.zeros_like(colours), distribution.std[:, COLOURS:]], dim=1)
        return AutoencoderKLOutput(latent_dist=distribution)

    def decode(self, z: Tensor, return_dict: bool = True, generator: torch.Generator | None = None) -> DecoderOutput:
        """Unscaled latents (B, C, h, w) -> blocks (B, 3 p^2, h', w')."""
        detail = super().decode(z).sample
        block = round((self.config.in_channels // 3) ** 0.5)
        height, width = detail.shape[-2:]
        colours = F.interpolate(z[:, :COLOURS].float(), (height * block, width * block), mode="bicubic")
        return DecoderOutput(sample=detail + F.pixel_unshuffle(colours, block).to(detail.dtype))

    def _colours(self, blocks: Tensor) -> Tensor:
        """Mean colours (B, 3, h', w') of the pixels of every latent."""
        scale = 2 ** (len(self.config.block_out_channels) - 1)
        return F.avg_pool2d(blocks.float().unflatten(1, (3, -1)).mean(2), scale)
