"""A module a command, named for it (`-` is `_`), whose `command` is a click command taking the Settings as
its object. Small ones that belong together share a module, where they are called by their names.
"""

SHARED = {
    "cancel": "operate",
    "config": "setup",
    "pause": "operate",
    "prune": "prune",
    "resume": "operate",
    "retry": "operate",
    "setup": "setup",
    "submit": "submit",
    "sweep": "prune",
    "wishes": "operate",
    "withdraw": "submit",
}  # command -> module
