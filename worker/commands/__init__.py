"""One module a command, named for it (`-` is `_`), whose `command` is a click command taking the Settings as
its object.
"""
