"""What a stranger wrote is shown in the terminal, and not obeyed by it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from borarun import cli
from borarun.basics.causes import Cause
from borarun.basics.printable import printable
from borarun.live.display import Lines, LiveTable, Terminal
from borarun.records.places import Places, StoredRecords
from borarun.records.store import Store
from borarun.records.task import Failure, Task
from borarun.site import default_site
from borarun.study import load_study
from borarun.study.plan import expand

HOSTILE = {
    "clear the screen": "\x1b[2J",
    "set the title": "\x1b]0;title\x07",
    "one byte control": "\x9b31m",
    "write over the line": "\r",
    "ring": "\x07",
    "take back": "\x08",
    "turn the direction": "\u202e",
    "isolate": "\u2066",
    "no character": "\x00",
    "half a character": "\udc9b",
}


def _terminal(force: bool = True) -> tuple[Terminal, io.StringIO]:
    shown = io.StringIO()
    return Terminal(file=shown, force_terminal=force, color_system=None, width=200), shown


def _only_shown(text: str) -> bool:
    return printable(text, keep="\n\t") == text


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE.keys())
def test_text_reaches_the_terminal_without_its_controls(code: str) -> None:
    text = f"licence{code}free"
    table = Table()
    table.add_row(Text(text), text)
    for each in (text, Text(text), table):
        terminal, shown = _terminal()
        terminal.print(each, markup=False, highlight=False, soft_wrap=True)
        assert "licence" in shown.getvalue()
        assert _only_shown(shown.getvalue())


def test_what_moves_the_cursor_is_seen() -> None:
    terminal, shown = _terminal()
    terminal.print("a\x1b[2Jb\u202ec\nd", markup=False, highlight=False)
    assert shown.getvalue() == "a\\x1b[2Jb\\u202ec\nd\n"


def test_plain_text_and_line_ends_are_as_written() -> None:
    text = "Li₂B₁₂H₁₂ Pa-3, 1.5 Å\n\t━━━ ▁▂▃\n"
    assert printable(text, keep="\n\t") == text
    assert printable(text) != text


@pytest.mark.parametrize("kind", [Lines, LiveTable])
def test_a_failure_of_a_program_obeys_nobody(kind: type[Lines], tmp_path: Path) -> None:
    """Also above the live table, which moves the cursor itself."""
    terminal, shown = _terminal(force=False)
    task = Task("bundled", {})
    failure = Failure(Cause.FAILED, "".join(f"<{code}>" for code in HOSTILE.values()), "")
    with kind(terminal, default_site(), tmp_path) as lines:
        lines.started(task)
        lines.finished(task, failure, 1.0)
        lines.told("".join(HOSTILE.values()))
    assert "failed" in shown.getvalue() and "\\x1b[2J" in shown.getvalue()
    assert _only_shown(shown.getvalue())


def test_colours_of_our_own_stay() -> None:
    shown = io.StringIO()
    terminal = Terminal(file=shown, force_terminal=True, color_system="standard", width=80)
    terminal.print("[red]failed[/red] \x1b[2J", highlight=False)
    assert "\x1b[31m" in shown.getvalue() and "\x1b[2J" not in shown.getvalue()


@pytest.mark.parametrize("verb", ["validate", "plan", "status", "why", "report", "submit"])
def test_no_command_passes_on_what_a_study_says(
    verb: str, mini_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escapes of YAML make control characters out of plain text."""
    monkeypatch.chdir(mini_study.parent)
    mini_study.write_text(
        mini_study.read_text().replace("mobile: Li", r'mobile: "L\e[2Ji\a\r\u202e"')
    )
    said = CliRunner().invoke(cli.app, [verb, mini_study.name])
    text = said.output + str(said.exception)
    assert said.exit_code != 0 and "mobile" in text and _only_shown(text)


FAKE = "it broke\nAll tasks are done.\r13:00:00  done   relax\u2028stuck: no\x85failed: x\x0b1\x1c2"


@pytest.mark.parametrize("kind", [Lines, LiveTable])
def test_no_message_makes_a_line_of_its_own(kind: type[Lines], tmp_path: Path) -> None:
    terminal, shown = _terminal(force=False)
    task = Task("bundled", {})
    with kind(terminal, default_site(), tmp_path) as lines:
        lines.started(task)
        lines.finished(task, Failure(Cause.FAILED, FAKE), 1.0)
        lines.again(task, FAKE, 2.0)
        lines.told(FAKE)
    told = [line for line in shown.getvalue().splitlines() if "it broke" in line]
    assert len(told) == 3 and all("All tasks are done" in line and "1 2" in line for line in told)
    assert not any(line.startswith("All tasks") for line in shown.getvalue().splitlines())


def test_why_keeps_what_a_program_says_in_its_place(
    mini_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mini_study.parent)
    study = load_study(mini_study)
    store = Store(Places.of(Path("runs"), study.name).store)
    task = expand(study, StoredRecords(store)).tasks[0]
    store.write_failure(task, Failure(Cause.FAILED, FAKE, FAKE, evidence=FAKE))
    lines = CliRunner().invoke(cli.app, ["why", mini_study.name]).output.splitlines()
    begun = [line for line in lines if not line.startswith("  ")]
    assert begun[0].startswith(task.name) and len(begun) <= 3
    assert not any(line.startswith(("All tasks", "stuck", "failed", "13:00")) for line in lines)


def test_the_evidence_of_a_failure_is_only_shown(
    mini_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mini_study.parent)
    study = load_study(mini_study)
    store = Store(Places.of(Path("runs"), study.name).store)
    task = expand(study, StoredRecords(store)).tasks[0]
    codes = "".join(HOSTILE.values())
    store.write_failure(task, Failure(Cause.FAILED, codes, codes, evidence=codes))
    said = CliRunner().invoke(cli.app, ["why", mini_study.name])
    assert "evidence" in said.output and "\\x1b[2J" in said.output
    assert _only_shown(said.output)
