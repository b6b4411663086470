"""Where the command is, and what can go wrong with it."""

import importlib
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path


class BurgeonError(Exception):
    """Anything that this package reports."""


class MissingPackage(BurgeonError, ImportError):
    """A package that a function needs is not installed."""


class CommandError(BurgeonError):
    """The command ended with an error: exit code 1 an error, 2 a wrong study or usage, 4 the run is in use."""

    def __init__(self, arguments, code, message):
        self.arguments = list(arguments)
        self.code = code
        self.message = message
        shown = " ".join(["burgeon", *map(str, arguments)])
        super().__init__(f"`{shown}` ended with exit code {code}:\n{message}" if message else
                         f"`{shown}` ended with exit code {code}")


def needed(name, extra, what):
    """Imports a package that is optional, or says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackage(
            f"{what} needs {name.split('.')[0]}, which is not installed; run: pip install \"burgeon[{extra}]\""
        ) from error


def command():
    """The path of the command: ``BURGEON_COMMAND``, or the one beside this package, or the one in the PATH."""
    chosen = os.environ.get("BURGEON_COMMAND")
    if chosen:
        if not Path(chosen).is_file():
            raise BurgeonError(f"BURGEON_COMMAND is {chosen!r}, which is no file")
        return chosen
    name = "burgeon.exe" if os.name == "nt" else "burgeon"
    for scheme in (None, f"{os.name}_user"):
        try:
            scripts = sysconfig.get_path("scripts", scheme) if scheme else sysconfig.get_path("scripts")
        except KeyError:
            continue
        if scripts and (found := Path(scripts) / name).is_file():
            return str(found)
    found = shutil.which("burgeon")
    if found is None:
        raise BurgeonError("the command `burgeon` is not beside this package and not in the PATH; reinstall it")
    return found


def output_of(arguments):
    """What the command prints; raises CommandError unless it succeeds."""
    done = subprocess.run(
        [command(), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise CommandError(arguments, done.returncode, done.stderr.strip())
    return done.stdout
