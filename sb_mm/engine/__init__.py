from .bfloat16_optim_wrapper import BFloat16OptimWrapper
from .bias_ablation_hook import BiasAblationHook
from .bias_effect_hook import BiasEffectHook
from .channels_last_hook import ChannelsLastHook, to_channels_last
from .same_start_hook import SameStartHook

__all__ = [
    'BFloat16OptimWrapper', 'BiasAblationHook', 'BiasEffectHook',
    'ChannelsLastHook', 'SameStartHook', 'to_channels_last'
]
