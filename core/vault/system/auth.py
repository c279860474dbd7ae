"""`sys/auth`: which auth methods there are. Tokens are the only one, and cannot be changed."""

from typing import Final

from core.engines.call import RequestError
from core.vault.context import Context
from core.vault.mounts import Mount
from core.vault.reply import Reply
from core.vault.routes import Route
from core.vault.system.mounts import shown, tuned

_AUTH: Final = "auth/"


def _list(context: Context) -> Reply:
    builtin = context.services.mounts.builtin
    methods = {path: mount for path, mount in builtin.items() if path.startswith(_AUTH)}
    data = {path.removeprefix(_AUTH): shown(mount) for path, mount in methods.items()}
    return Reply(data=data, repeated=True)


def _find(context: Context, refusal: str) -> Mount:
    mount = context.services.mounts.builtin.get(f"{_AUTH}{context.argument}/")
    if mount is None:
        raise RequestError(400, refusal)
    return mount


def _read(context: Context) -> Reply:
    mount = _find(context, f"No auth engine at {context.argument}/")
    return Reply(data=shown(mount), repeated=True)


def _read_tuning(context: Context) -> Reply:
    mount = _find(context, f'cannot fetch sysview for path "{_AUTH}{context.argument}/"')
    return Reply(data=tuned(mount, context.services.settings), repeated=True)


ROUTES: Final = (
    Route("sys/auth", reads={"read": _list}),
    Route("sys/auth/*", reads={"read": _read}),
    Route("sys/auth/*/tune", reads={"read": _read_tuning}),
)
