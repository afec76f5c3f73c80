"""The help of every command: complete sentences that fit an 80-column terminal."""

import pytest
import typer

from streamdet.cli.main import app, execute

GROUPS = {}
COMMANDS = {}


def collect(command, path):
    """Fills `GROUPS` and `COMMANDS` with a command and its subcommands, by their command lines."""
    if hasattr(command, "commands"):
        GROUPS[path] = command
        for name, child in command.commands.items():
            collect(child, f"{path} {name}")
    else:
        COMMANDS[path] = command


collect(typer.main.get_command(app), "streamdet")


def test_every_command_is_found():
    assert {"streamdet run", "streamdet eval mot", "streamdet models convert", "streamdet bench draw"} <= set(COMMANDS)
    assert len(COMMANDS) >= 23


@pytest.mark.parametrize("path", COMMANDS)
def test_every_parameter_is_explained_in_a_sentence(path):
    for parameter in COMMANDS[path].params:
        if parameter.name != "help":
            assert parameter.help, parameter.name
            assert parameter.help[0].isupper(), parameter.help
            assert parameter.help.endswith("."), parameter.help


@pytest.mark.parametrize("path", [*GROUPS, *COMMANDS])
def test_help_fits_80_columns(path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert execute([*path.split()[1:], "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...") and "]" not in line], "a summary that was cut"
