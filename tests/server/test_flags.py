"""Flags read as Go's flag package reads them, wherever they stand."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.flags import (
    ARGUMENTS_MAX,
    Command,
    Group,
    LocalCommand,
    LocalGroup,
    flag,
    normalise,
    option,
)

Seen = dict[str, object]


@click.group("tool", cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def tool() -> None:
    """Do things."""


@tool.command("do")
@click.argument("things", nargs=-1)
@option("key-shares", "How many.", kind=int, default=5)
@option("policy", "Names.", many=True)
@option("id", "Which.", into="chosen_id")
@option("mode", "How.", kind=click.Choice(("fast", "slow")))
@option("count", "How often.", kind=click.IntRange(0, 9))
@flag("force", "Really.", alias="f")
@flag("renewable", "Or not.", default=True)
@flag("self", "Or nothing.", default=None, into="own")
def do(**seen: object) -> None:
    """Do one thing."""
    click.get_current_context().obj.update(seen)


@click.command("local", cls=LocalCommand)
def local() -> None:
    """Ask nobody."""


@click.group("locals", cls=LocalGroup)
def local_tools() -> None:
    """Ask nobody either."""


@local_tools.command("one")
@option("format", "Its own.", default="text")
def local_one(**seen: object) -> None:
    """Take an option of its own."""
    click.get_current_context().obj.update(seen)


tool.add_command(local)
tool.add_command(local_tools)

NOTHING: Seen = {
    "things": (),
    "key_shares": 5,
    "policy": (),
    "chosen_id": None,
    "mode": None,
    "count": None,
    "force": False,
    "renewable": True,
    "own": None,
}


def seen(*arguments: str) -> Seen:
    """Return what the command `do`, or another, is called with."""
    result: Seen = {}
    with tool.make_context("tool", list(arguments), obj=result) as context:
        tool.invoke(context)
    return result


def test_defaults() -> None:
    assert NOTHING == seen("do")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-key-shares=7"], {"key_shares": 7}),
        (["--key-shares=7"], {"key_shares": 7}),
        (["-key-shares", "7"], {"key_shares": 7}),
        (["--key-shares", "7"], {"key_shares": 7}),
        (["-key-shares", "-7"], {"key_shares": -7}),
        (["-id", "-force"], {"chosen_id": "-force"}),
        (["-id="], {"chosen_id": ""}),
        (["-id=a=b"], {"chosen_id": "a=b"}),
        (["-policy=a", "--policy", "b"], {"policy": ("a", "b")}),
        (["-mode", "slow", "-count=9"], {"mode": "slow", "count": 9}),
        (["-force", "a"], {"force": True, "things": ("a",)}),
        (["-f"], {"force": True}),
        (["--f=true"], {"force": True}),
        (["-force=false"], {"force": False}),
        (["-renewable=false"], {"renewable": False}),
        (["-renewable"], {"renewable": True}),
        (["-self=0"], {"own": False}),
        (["a", "-force", "b"], {"force": True, "things": ("a", "b")}),
        (["-", "a=-1"], {"things": ("-", "a=-1")}),
        (["--", "-force", "--"], {"things": ("-force", "--")}),
        (["-address=x", "a"], {"address": "x", "things": ("a",)}),
        (["-tls-skip-verify"], {"tls_skip_verify": True}),
        (["-header=a=1", "-header", "b=2"], {"header": ("a=1", "b=2")}),
    ],
)
def test_grammar(arguments: list[str], expected: Seen) -> None:
    assert {**NOTHING, **expected} == seen("do", *arguments)


def test_client_flags_stand_at_any_level_and_the_nearest_wins() -> None:
    assert {**NOTHING, "address": "x", "format": "json", "namespace": "n"} == seen(
        "-address=y", "-format", "json", "do", "--address", "x", "-namespace=n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["do", "-polcy"], "-policy"),
        (["do", "-zzz=1"], "No such option '-zzz'."),
        (["do", "-id"], "Option '-id' needs a value."),
        (["do", "-key-shares=x"], "'x' is not a valid integer."),
        (["do", "-force=maybe"], "'maybe' is not a valid boolean."),
        (["do", "-mode=odd"], "'odd' is not one of 'fast', 'slow'."),
        (["do", "-format=xml"], "'xml' is not one of 'table', 'json'."),
        (["do", *"a" * (ARGUMENTS_MAX + 1)], "more than 10000 arguments"),
        (["-force", "do"], "No such option '-force'."),
        (["nothing"], "No such command 'nothing'."),
        (["local", "-address=x"], "No such option '-address'."),
        (["locals", "-address=x"], "No such option '-address'."),
        (["locals", "one", "-address=x"], "No such option '-address'."),
    ],
)
def test_mistakes_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        seen(*arguments)

    assert message in caught.value.format_message()
    assert caught.value.ctx is not None


def test_a_mistake_names_its_flag_with_one_dash() -> None:
    with pytest.raises(click.BadParameter) as caught:
        seen("do", "--key-shares=x")

    assert "Invalid value for -key-shares:" in caught.value.format_message()


def test_a_local_command_may_give_a_client_flag_its_own_sense() -> None:
    assert {"format": "table"} == seen("locals", "one", "-format=table")


def test_help_shows_one_dash_and_what_a_value_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit):
        seen("do", "-h")

    shown = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert {
        "Usage: tool do [OPTIONS] [THINGS]...",
        "-key-shares=<integer> How many.",
        "-id=<text> Which.",
        "-mode=<fast|slow> How.",
        "-count=<integer> How often.",
        "-force Really.",
        "Client options:",
        "-non-interactive Fail rather than prompt.",
    } <= set(lines)


@pytest.mark.parametrize("arguments", [["local", "--help"], ["local", "-help"]])
def test_help_of_a_local_command_names_no_client_options(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit):
        seen(*arguments)

    assert "Client options" not in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["-h"]])
def test_a_group_lists_its_commands(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit) as caught:
        seen(*arguments)

    shown = capsys.readouterr().out
    assert 0 == caught.value.exit_code
    assert ["do      Do one thing.", "local   Ask nobody.", "locals  Ask nobody either."] == [
        line.strip() for line in shown.partition("Commands:\n")[2].splitlines()
    ]


OPTIONS = {
    "id": click.Option(["--id"]),
    "i": click.Option(["--id"]),
    "help": click.Option(["--help"], is_flag=True),
}


@given(value=st.text(), dashes=st.sampled_from(["-", "--"]), name=st.sampled_from(["id", "i"]))
def test_all_ways_to_write_a_value_are_one(value: str, dashes: str, name: str) -> None:
    joined = normalise([f"{dashes}{name}={value}"], OPTIONS, stop_at_positional=False)
    apart = normalise([f"{dashes}{name}", value], OPTIONS, stop_at_positional=False)

    assert [f"--id={value}"] == joined == apart


@given(st.lists(st.text().filter(lambda text: text == "-" or not text.startswith("-"))))
def test_what_is_no_flag_stays_as_it_is(arguments: list[str]) -> None:
    assert arguments == normalise(arguments, OPTIONS, stop_at_positional=False)


def test_behind_a_command_nothing_is_touched() -> None:
    arguments = ["-id=1", "do", "-odd", "--"]

    assert ["--id=1", "do", "-odd", "--"] == normalise(arguments, OPTIONS, stop_at_positional=True)


def test_a_flag_of_clicks_own_takes_no_value() -> None:
    assert ["--help"] == normalise(["-help"], OPTIONS, stop_at_positional=False)


def test_commands_of_a_group_talk_to_a_server() -> None:
    assert type(tool.commands["do"]) is Command
    assert type(local_tools.commands["one"]) is LocalCommand
