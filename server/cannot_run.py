"""Why a server does not run, in one sentence for the person who started it."""


class CannotRunError(Exception):
    """A node, a dev server or a dev cluster can't start, or had to stop; the message says why."""
