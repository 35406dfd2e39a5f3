"""The ground floor: what collector, webapp and worker share. It imports none of them."""

__version__ = "0.2.0"  # the one place: the package's metadata and `--version` of all programs read it
