"""KV version 2: secrets that keep their former versions.

Owns the paths `config`, `data/`, `delete/`, `undelete/`, `destroy/`, `metadata/` and `subkeys/`
below a mount. A secret is kept under one name of the mount's storage: its key metadata as the
record of that name, the JSON text of each version as a numbered record below it. So both share
one sealed name, and a read of the latest version costs two look-ups.
"""

from core.engines.kv_v2.engine import KvV2

__all__ = ["KvV2"]
