"""The live page: a study in a browser while it runs. Nothing in here changes a study."""

from borarun.live.server import serve

__all__ = ["serve"]
