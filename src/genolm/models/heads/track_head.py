"""Convolutional head for tracks of signal along a sequence, as published for Genos.

Shapes: B rows, L tokens, I input width, C channels, T tracks, S learned scales.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genolm.models.heads.head_config import TrackHeadConfig
from genolm.models.heads.token_norm import TokenNorm
from genolm.models.heads.track_scaling import unscale_tracks


class TrackHead(nn.Module):
    """Two convolutions with batch norm and exact GELU, a pointwise one, and a learned positive scale of each track.

    Args:
        config: config of the head.
        width: width I of the hidden states; at least 16.
    """

    def __init__(self, config: TrackHeadConfig, width: int) -> None:
        super().__init__()
        self.config, self.width = config, width
        self.conv1 = nn.Conv1d(width, width // 4, 3, padding=1)
        self.bn1 = TokenNorm(width // 4)
        self.conv2 = nn.Conv1d(width // 4, width // 16, 3, padding=2, dilation=2)
        self.bn2 = TokenNorm(width // 16)
        self.conv3 = nn.Conv1d(width // 16, config.outputs, 1)
        self.scale = nn.Parameter(torch.zeros(max(config.scales) + 1))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BLI: Tensor, mask_BL: Tensor, bases_BL: Tensor) -> Tensor:
        """Return the scaled tracks, (B, L, T), not negative, zero at padding.

        Padding is zero before each convolution, as the outside of a sequence is, and not counted by the norms.

        Args:
            x_BLI: hidden states.
            mask_BL: True for real tokens.
            bases_BL: not used; part of the interface of heads.
        """
        padding_B1L = ~mask_BL[:, None]
        x_BCL = x_BLI.transpose(1, 2).masked_fill(padding_B1L, 0.0)
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2)):
            x_BCL = self.dropout(F.gelu(norm(conv(x_BCL), mask_BL))).masked_fill(padding_B1L, 0.0)
        scale_T = F.softplus(self.scale[list(self.config.scales)])
        tracks_BTL = F.softplus(self.conv3(x_BCL)) * scale_T[:, None]
        return tracks_BTL.masked_fill(padding_B1L, 0.0).transpose(1, 2)

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return the tracks, (…, T), in their units: the inverse of the scaling of the targets."""
        if not self.config.means:
            return outputs
        return unscale_tracks(outputs, self.config.means, self.config.squashed or None)
