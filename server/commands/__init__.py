"""The commands of the command line, one module per family.

`server.cli` imports a module when one of its commands is asked for. No module here is imported
by anything but the command line and other commands.
"""
