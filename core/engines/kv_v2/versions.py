"""Single versions of a secret: `delete/`, `undelete/` and `destroy/`.

Owns what is done to versions by number. Must not know how records look.
"""

from core.engines.call import Call, RequestError, Result
from core.engines.kv_v2 import fields
from core.engines.kv_v2.record import deletion_ns, load_configuration, load_key, save_key


def delete(call: Call, name: str) -> Result:
    """Let versions count as deleted from now on; their content stays."""
    numbers = _numbers(call, "No version number provided")
    key = load_key(call.storage, name)
    if key is None:
        return Result()
    if [number for number in numbers if key.delete(number, call.wall_ns)]:
        save_key(call.storage, name, key)
    return Result()


def undelete(call: Call, name: str) -> Result:
    """Make versions live again, with a deletion time as if they were written now."""
    numbers = _numbers(call, "No version number provided")
    key = load_key(call.storage, name)
    if key is None:
        return Result()
    ends_ns = deletion_ns(load_configuration(call.storage), key, call.wall_ns)
    if [number for number in numbers if key.undelete(number, ends_ns)]:
        save_key(call.storage, name, key)
    return Result()


def destroy(call: Call, name: str) -> Result:
    """Remove the content of versions for good; that they were there is kept."""
    numbers = _numbers(call, "no version number provided")
    key = load_key(call.storage, name)
    if key is None:
        return Result()
    destroyed = [number for number in numbers if key.destroy(number)]
    if destroyed:
        save_key(call.storage, name, key)
    for number in destroyed:
        call.storage.delete(name, number)
    return Result()


def _numbers(call: Call, refusal: str) -> list[int]:
    numbers = fields.integers(call.body.get("versions"), "versions")
    if not numbers:
        raise RequestError(400, refusal)
    return numbers
