"""What KV version 2 does, in plain Python: a dictionary per secret and no regard for cost.

It follows Vault's documented behaviour and shares no code with the engine.
"""

import copy
from datetime import UTC, datetime
from typing import Any

MISMATCH = "check-and-set parameter did not match the current version"
MISSING = "check-and-set parameter required for this call"
IGNORED = (
    '"cas_required" set to false, but is mandated by backend config. This value will be ignored.'
)

Outcome = tuple[int, Any]
"""A status, and the data of the answer or the texts of what was refused or warned of."""

NOTHING: Outcome = (200, None)
NOT_FOUND: Outcome = (404, ())


def as_time(second: int | None) -> str:
    return "" if second is None else datetime.fromtimestamp(second, UTC).isoformat()[:19] + "Z"


class Model:
    """One mount."""

    def __init__(self, second: int) -> None:
        self.second = second
        self.mount = {"cas_required": False, "delete_version_after": 0, "max_versions": 0}
        self.secrets: dict[str, dict[str, Any]] = {}

    def stored(self) -> int:
        """Return how many records there should be: one of each secret and one of each content."""
        contents = [
            version
            for secret in self.secrets.values()
            for version in secret["versions"].values()
            if not version["destroyed"]
        ]
        return len(self.secrets) + len(contents)

    def configure(self, settings: dict[str, Any]) -> Outcome:
        self.mount.update(settings)
        self.mount["delete_version_after"] = max(self.mount["delete_version_after"], -1)
        return NOTHING

    def _new(self) -> dict[str, Any]:
        return {
            "cas_required": False,
            "created": self.second,
            "current": 0,
            "custom_metadata": None,
            "delete_version_after": 0,
            "max_versions": 0,
            "oldest": 0,
            "updated": self.second,
            "versions": {},
        }

    def _end(self, secret: dict[str, Any]) -> int | None:
        times: list[int] = [self.mount["delete_version_after"], secret["delete_version_after"]]
        wanted = [time for time in times if time]
        if not wanted or times[0] < 0:
            return None
        return self.second + min(wanted)

    def _live(self, version: dict[str, Any]) -> bool:
        ended = version["deletion"] is not None and version["deletion"] <= self.second
        return not ended and not version["destroyed"]

    def _described(self, secret: dict[str, Any], number: int) -> dict[str, Any]:
        version = secret["versions"][number]
        return {
            "created_time": as_time(version["created"]),
            "custom_metadata": secret["custom_metadata"],
            "deletion_time": as_time(version["deletion"]),
            "destroyed": version["destroyed"],
            "version": number,
        }

    def read(self, path: str, number: int, field: str = "data") -> Outcome:
        secret = self.secrets.get(path)
        number = number or (secret["current"] if secret else 0)
        if secret is None or number not in secret["versions"]:
            return NOT_FOUND
        described = self._described(secret, number)
        version = secret["versions"][number]
        if not self._live(version):
            return 404, {field: None, "metadata": described}
        data = version["data"] if field == "data" else dict.fromkeys(version["data"])
        return 200, {field: data, "metadata": described}

    def _refused(self, secret: dict[str, Any], cas: int | None) -> Outcome | None:
        if cas is None:
            required = self.mount["cas_required"] or secret["cas_required"]
            return (400, (MISSING,)) if required else None
        return None if cas == secret["current"] else (400, (MISMATCH,))

    def write(self, path: str, data: dict[str, Any], cas: int | None) -> Outcome:
        secret = self.secrets.get(path) or self._new()
        if refused := self._refused(secret, cas):
            return refused
        self.secrets[path] = secret
        return self._add(secret, data)

    def patch(self, path: str, changes: dict[str, Any], cas: int | None) -> Outcome:
        secret = self.secrets.get(path)
        if secret is None:
            return NOT_FOUND
        if refused := self._refused(secret, cas):
            return refused
        version = secret["versions"].get(secret["current"])
        if version is None:
            return NOT_FOUND
        if not self._live(version):
            return 404, self._described(secret, secret["current"])
        merged = {**version["data"], **changes}
        return self._add(secret, {k: v for k, v in merged.items() if v is not None})

    def _add(self, secret: dict[str, Any], data: dict[str, Any]) -> Outcome:
        secret["current"] += 1
        secret["updated"] = self.second
        secret["versions"][secret["current"]] = {
            "created": self.second,
            "data": copy.deepcopy(data),
            "deletion": self._end(secret),
            "destroyed": False,
        }
        limit = max(self.mount["max_versions"], secret["max_versions"]) or 10
        # Vault tells the oldest version only once the window has been full.
        if secret["current"] - secret["oldest"] >= limit:
            secret["oldest"] = secret["current"] - limit + 1
            for number in list(secret["versions"]):
                if number < secret["oldest"]:
                    del secret["versions"][number]
        return 200, self._described(secret, secret["current"])

    def delete_latest(self, path: str) -> Outcome:
        return self.delete(path, [self.secrets[path]["current"]] if path in self.secrets else [])

    def delete(self, path: str, numbers: list[int]) -> Outcome:
        for version in self._versions(path, numbers):
            if self._live(version):
                version["deletion"] = self.second
        return NOTHING

    def undelete(self, path: str, numbers: list[int]) -> Outcome:
        for version in self._versions(path, numbers):
            if not version["destroyed"]:
                version["deletion"] = self._end(self.secrets[path])
        return NOTHING

    def destroy(self, path: str, numbers: list[int]) -> Outcome:
        for version in self._versions(path, numbers):
            version["destroyed"] = True
        return NOTHING

    def _versions(self, path: str, numbers: list[int]) -> list[dict[str, Any]]:
        versions = self.secrets[path]["versions"] if path in self.secrets else {}
        return [versions[number] for number in numbers if number in versions]

    def change(self, path: str, settings: dict[str, Any], *, patch: bool) -> Outcome:
        if patch and path not in self.secrets:
            return NOT_FOUND
        if not patch and not settings:
            return NOTHING
        secret = self.secrets.setdefault(path, self._new())
        settings = dict(settings)
        if patch and settings.get("custom_metadata") is not None:
            notes = {**(secret["custom_metadata"] or {}), **settings["custom_metadata"]}
            settings["custom_metadata"] = {k: v for k, v in notes.items() if v is not None}
        if "custom_metadata" in settings:
            settings["custom_metadata"] = settings["custom_metadata"] or None
        secret.update(settings)
        ignored = settings.get("cas_required") is False and self.mount["cas_required"]
        return (200, (IGNORED,)) if ignored else NOTHING

    def read_metadata(self, path: str) -> Outcome:
        secret = self.secrets.get(path)
        if secret is None:
            return NOT_FOUND
        return 200, {
            "cas_required": secret["cas_required"],
            "created_time": as_time(secret["created"]),
            "current_version": secret["current"],
            "custom_metadata": secret["custom_metadata"],
            "delete_version_after": f"{secret['delete_version_after']}s",
            "max_versions": secret["max_versions"],
            "oldest_version": secret["oldest"],
            "updated_time": as_time(secret["updated"]),
            "versions": {
                str(number): {
                    "created_time": as_time(version["created"]),
                    "deletion_time": as_time(version["deletion"]),
                    "destroyed": version["destroyed"],
                }
                for number, version in secret["versions"].items()
            },
        }

    def delete_metadata(self, path: str) -> Outcome:
        self.secrets.pop(path, None)
        return NOTHING

    def names(self) -> Outcome:
        return (200, {"keys": sorted(self.secrets)}) if self.secrets else NOT_FOUND
