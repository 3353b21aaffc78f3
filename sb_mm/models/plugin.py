from mmengine.registry import MODELS
from torch import Tensor, nn

from .spatial_bias import SpatialBias


@MODELS.register_module()
class SpatialBiasPlugin(SpatialBias):
    """Spatial Bias as a plugin layer: features in, features of the same shape
    out.

    The bias maps are computed from the features and added to them by a 1x1
    convolution, ``out = x + V relu(maps)``: a convolution over features and
    maps whose part over the features is the identity. ``V`` starts at zero, so
    that a trained network computes what it did before. It moves in the first
    training step, and the branch from the second on.

    Backbones that take plugins take it::

        plugins=[dict(cfg=dict(type='SpatialBiasPlugin'),
                      stages=(False, True, True, False),
                      position='after_conv2')]

    Args:
        in_channels (int): Channels of the features.
        norm_eval (bool): Whether the ``norm_eval`` of the backbone fixes the
            norms of this layer too, which is right where they came with the
            checkpoint. Defaults to False: in training they use the statistics
            of the batch, because those of a new layer are not there yet.
        **kwargs: Settings of :class:`SpatialBias`.
    """

    def __init__(self,
                 in_channels: int,
                 norm_eval: bool = False,
                 **kwargs) -> None:
        super().__init__(in_channels, **kwargs)
        self.norm_eval = norm_eval
        self.relu = nn.ReLU(inplace=True)
        self.expansion = nn.Conv2d(self.num_maps, in_channels, 1, bias=False)
        nn.init.zeros_(self.expansion.weight)

    def init_weights(self) -> None:
        """Initialize the weights; the expansion starts at zero."""
        super().init_weights()
        nn.init.zeros_(self.expansion.weight)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Add the bias maps to features.

        Args:
            x (Tensor): Features of shape (N, in_channels, H, W).

        Returns:
            Tensor: Features of the same shape.

        Raises:
            ValueError: If ``x`` has another shape, or is not floating point.
        """
        # the backbone fixes norms after it has set the mode of its layers
        if self.training and not (self.norm_eval or self.norm.training):
            self.train()
        return x + self.expansion(self.relu(super().forward(x)))
