from .bias import show_bias

__all__ = ['show_bias']
