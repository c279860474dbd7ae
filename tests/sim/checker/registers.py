"""Histories made by a real atomic register, and the plain definition of linearizability."""

from random import Random

import msgspec
from hypothesis import strategies as st

from sim.checker.history import Operation, OperationKind


def operation(
    kind: OperationKind,
    invoked_ns: int,
    returned_ns: int | None,
    value: str | None = None,
    version: int | None = None,
    expected: int = 0,
) -> Operation:
    """Return an operation of one client on one key."""
    return Operation(
        client="c1",
        key="k",
        kind=kind,
        invoked_ns=invoked_ns,
        returned_ns=returned_ns,
        value=value,
        version=version,
        expected=expected,
    )


@st.composite
def tiny_operations(draw: st.DrawFn) -> Operation:
    """An operation with any answer, of which few make sense."""
    kind: OperationKind = draw(st.sampled_from(("read", "write", "cas")))
    invoked_ns = draw(st.integers(0, 6))
    returned_ns = invoked_ns + draw(st.integers(0, 4)) if draw(st.booleans()) else None
    version = draw(st.integers(0 if kind == "read" else 1, 3))
    mismatch = kind == "cas" and draw(st.booleans())
    return operation(
        kind,
        invoked_ns,
        returned_ns,
        draw(st.sampled_from("ab")) if kind != "read" or version else None,
        None if returned_ns is None or mismatch else version,
        draw(st.integers(0, 2)) if mismatch else version - 1,
    )


class _Draft(msgspec.Struct, frozen=True):
    """What a client will do, and when it takes effect, if it does."""

    client: int
    key: int
    kind: OperationKind
    value: str
    invoked_ns: int
    effect_ns: int | None
    returned_ns: int | None


def atomic_history(
    random: Random,
    *,
    operations: int,
    clients: int = 5,
    keys: int = 5,
    unknown_percent: int = 10,
    unique_values: bool = True,
) -> list[Operation]:
    """Return what `clients` saw that used registers at the same time, each step atomic.

    An operation takes effect between its invocation and its answer. One without an answer takes
    effect at some time after its invocation, or never; its client goes on meanwhile.
    """
    drafts: list[_Draft] = []
    free_at_ns = [0] * clients
    for number in range(operations):
        client = random.randrange(clients)
        invoked_ns = free_at_ns[client] + random.randrange(1, 3)
        effect_ns: int | None = invoked_ns + random.randrange(6)
        returned_ns: int | None = effect_ns + random.randrange(6) if effect_ns else None
        free_at_ns[client] = returned_ns or invoked_ns
        if random.randrange(100) < unknown_percent:
            returned_ns = None
            effect_ns = invoked_ns + random.randrange(60) if random.getrandbits(1) else None
        drafts.append(
            _Draft(
                client=client,
                key=random.randrange(keys),
                kind=random.choice(("read", "write", "cas")),
                value=str(number if unique_values else number % 2),
                invoked_ns=invoked_ns,
                effect_ns=effect_ns,
                returned_ns=returned_ns,
            )
        )
    return _executed(random, drafts)


@st.composite
def atomic_histories(draw: st.DrawFn) -> list[Operation]:
    """What clients saw of two registers, with few or many outcomes unknown."""
    return atomic_history(
        Random(draw(st.integers(0, 2**32))),
        operations=60,
        keys=2,
        unknown_percent=draw(st.integers(0, 60)),
        unique_values=draw(st.booleans()),
    )


def _executed(random: Random, drafts: list[_Draft]) -> list[Operation]:
    """Let drafts take effect one after the other; a check-and-set expects too little at times."""
    registers: dict[int, tuple[int, str | None]] = {}
    history: list[Operation] = []
    for draft in sorted(drafts, key=lambda draft: draft.effect_ns or 0):
        version, value = registers.get(draft.key, (0, None))
        expected = max(0, version - random.choice((0, 0, 1))) if draft.kind == "cas" else 0
        answer: int | None = version
        if draft.kind != "read":
            value = draft.value
            answer = version + 1 if draft.kind == "write" or expected == version else None
            if answer is not None and draft.effect_ns is not None:
                registers[draft.key] = (answer, value)
        known = draft.returned_ns is not None
        history.append(
            Operation(
                client=f"c{draft.client}",
                key=f"k{draft.key}",
                kind=draft.kind,
                invoked_ns=draft.invoked_ns,
                returned_ns=draft.returned_ns,
                value=value if known or draft.kind != "read" else None,
                expected=expected,
                version=answer if known else None,
            )
        )
    return history


def is_linearizable(operations: list[Operation]) -> bool:
    """Tell whether an order exists, by trying all: the definition, for tiny histories."""
    return _has_order(tuple(operations), 0, None)


def _has_order(left: tuple[Operation, ...], version: int, value: str | None) -> bool:
    returns = [each.returned_ns for each in left if each.returned_ns is not None]
    if not returns:
        return True
    for place, each in enumerate(left):
        if each.invoked_ns > min(returns):
            continue
        others = left[:place] + left[place + 1 :]
        makes = each.kind == "write" or (each.kind == "cas" and each.expected == version)
        if each.returned_ns is None:
            fits = makes
        elif each.kind == "read":
            fits = (each.version, each.value) == (version, value)
        else:
            fits = each.version == (version + 1 if makes else None)
        if not fits:
            continue
        after = (version + 1, each.value) if makes else (version, value)
        if _has_order(others, *after):
            return True
    return False
