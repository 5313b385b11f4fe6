"""What goes wrong: one line for a person, an exit code for a script, and never a password."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from sqlalchemy import create_engine, text

from ecephys_dal.cli.commands import COMMANDS
from ecephys_dal.cli.exits import EXIT_CODES, Exit
from tests.cli.shell import call, environment, pipe
from tests.logins import PASSWORD, READER

HEAVY = ("alembic", "numpy", "pandas", "requests", "sqlalchemy", "tqdm")


def one_line(told: str) -> str:
    """Return what was told, which is one line of the program's, and no traceback."""
    assert told.startswith("ecephys-dal: ")
    assert told.count("\n") == 1
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["sesions"], "did you mean sessions?"),
        (["xyz"], "there is no command xyz ("),
        (["units", "--session-idz", "1"], "did you mean --session-id?"),
        (["units", "--qqq"], "there is no option --qqq ("),
        (["sessions", "--session-id", "1", "--session-kinds", "x"], "no option --session-kinds ("),
        (["sessions", "--columns", "xyz"], "no column xyz; known are id, specimen_id"),
        (["metrics", "--session-id", "1", "--ecephys-session-id", "2"], "ecephys_session_ids and"),
        (["--databse", "x", "units"], "did you mean --database?"),
        (["download", "sesion", "1"], "did you mean session?"),
        (["download", "session", "1", "--dryrun"], "did you mean --dry-run?"),
        (["explain", "unit"], "did you mean units?"),
        (["db", "upgrad"], "did you mean upgrade?"),
        (["snapshot", "creat", "a.db"], "did you mean create?"),
        (["snapshot", "create"], "FILE"),
        (["snapshot", "create", "a.db", "--unit-ids", "1"], "--of units or --of metrics"),
        (["export", "folder", "--format", "parket"], "'parquet'"),
        (["why", "sesion", "1"], "'session'"),
        (["sessions", "--published-at", "2019"], "'YYYY-MM-DD'"),
        (["sessions", "--without-rule", "session_failed"], "did you mean 'session_not_failed'?"),
        (["sessions", "--limit", "0"], "--limit"),
        (["sessions", "--count", "--limit", "2"], "--count is a number, which takes no --limit"),
        (["sessions", "--count", "--output", "x.csv"], "takes no --output"),
        (["sessions", "--count", "--format", "csv"], "takes no --format"),
        (["sessions", "--count", "--columns", "id"], "takes no --columns"),
        (["sessions", "--columns", "id,id"], "each of them once"),
        (["sessions", "--columns", ""], "each of them once"),
        (["db", "upgrade", "--database", ""], "'--database': it is empty"),
        (["download", "session"], "ID"),
    ],
)
def test_wrong_use_is_one_line_that_says_what_was_meant(arguments, meant, asked, filled):
    url, _ = filled("sqlite")
    code, shown, told = asked("--database", url, *arguments)
    assert (code, shown) == (2, "")
    assert meant in one_line(told)


def test_no_database_at_all_is_wrong_use_and_says_how_to_name_one():
    done = call("sessions", LIMS_USER="reader")
    assert done.returncode == 2
    told = one_line(done.stderr)
    assert "--database" in told
    assert "ECEPHYS_DAL_DATABASE" in told
    assert "LIMS_DBNAME, LIMS_HOST, LIMS_PASSWORD" in told


@pytest.mark.parametrize("group", [[], ["download"], ["snapshot"], ["db"]])
def test_a_command_that_is_left_out_is_answered_by_the_help(group, asked):
    code, shown, told = asked(*group)
    assert (code, shown) == (2, "")
    assert told == asked(*group, "-h")[1]
    assert "Commands:\n" in told


@pytest.mark.slow
@pytest.mark.parametrize("line", ["--help", "units", "units --count", "explain units", "nope"])
def test_who_reads_nothing_makes_no_error(line, filled):
    done = pipe(f"ecephys-dal {line} 2>&1 | true", database=filled("sqlite")[0])
    assert (done.returncode, done.stderr) == (2 if line == "nope" else 0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("sessions >&-", 0),
        ("sessions --count 2>&- >&-", 0),
        ("sessions --session-ids - --count <&-", 1),
        ("sessions --ask-password --count <&-", 2),
        ("sessions --nope 2>&-", 2),
        ("--help >&-", 0),
    ],
)
def test_a_stream_may_be_closed(line, code, filled):
    done = pipe(f"ecephys-dal {line}", database=filled("sqlite")[0])
    assert done.returncode == code
    assert "unexpected" not in done.stderr


def test_no_file_takes_the_place_of_a_stream_that_is_closed():
    look = (
        "import os; from ecephys_dal.cli.streams import open_what_is_closed;"
        " open_what_is_closed(); os._exit(os.open(os.devnull, os.O_RDONLY))"
    )
    assert pipe(f"{sys.executable} -c '{look}' <&- >&- 2>&-").returncode > 2


def test_an_interruption_while_the_program_is_loaded_is_no_traceback():
    code = (
        "import sys\n"
        "class Pressed:\n"
        "    def find_spec(*_):\n"
        "        raise KeyboardInterrupt\n"
        "from ecephys_dal.cli import main\n"
        "sys.meta_path.insert(0, Pressed)\n"
        "sys.exit(main())"
    )
    done = subprocess.run(  # noqa: S603 - our own line
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment()
    )
    assert (done.returncode, done.stderr) == (130, "ecephys-dal: interrupted\n")


@pytest.mark.slow
def test_the_command_line_wins_over_the_environment(filled):
    url, lims = filled("sqlite")
    for arguments in (["--database", url, "sessions", "--count"],
                      ["sessions", "--count", "--database", url]):  # fmt: skip
        done = call(*arguments, database="sqlite:////nowhere.db")
        assert (done.returncode, done.stdout) == (0, f"{len(lims.visible_session_ids)}\n")


def test_credentials_of_the_environment_open_lims(login):
    done = call(
        "sessions", "--count",
        LIMS_DBNAME="postgres", LIMS_USER=READER, LIMS_HOST=login.folder, LIMS_PASSWORD=PASSWORD,
    )  # fmt: skip
    n_sessions = len(login.lims.visible_session_ids)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{n_sessions}\n", "")


@pytest.mark.parametrize("where", ["no file", "no database", "no server"])
def test_a_database_that_can_not_be_reached_gives_3(where, asked, tmp_path):
    if where == "no server":
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            named = f"postgresql://u@127.0.0.1:{unused.getsockname()[1]}/lims2"
            code, _, told = asked("sessions", "--database", named)
    else:
        named = tmp_path / "lims.db"
        if where == "no database":
            named.write_text("a text, and no database at all, of some length" * 100)
        code, _, told = asked("sessions", "--database", named)
        assert str(named) in told
    assert code == 3
    one_line(told)


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_no_password_is_ever_told(login, debug, asked):
    wrong = login.url.set(password="hunter2/wrong@").render_as_string(hide_password=False)
    for named, expected in {
        wrong: 3,
        "postgresql://u:hunter2@host:port:/x": 2,  # which can't be parsed
        "mysql://u:hunter2@host/x": 2,
        "postgresql://u@127.0.0.1:1/x?password=hunter2": 3,
    }.items():
        code, shown, told = asked("sessions", *debug, "--database", named)
        assert code == expected
        assert "hunter2" not in shown + told
        assert ("Traceback" in told) == bool(debug)
        one_line(told.splitlines(keepends=True)[-1])


def test_a_word_that_happens_to_be_the_password_is_not_hidden_which_would_tell_it():
    done = call(
        "sessions", "--session-ids", "@ecephys-da", database="x", LIMS_PASSWORD="ecephys-da"
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ecephys-dal: ")
    assert "***" not in done.stderr


def test_a_table_that_lacks_a_column_is_a_problem_that_is_found(fresh_url, asked):
    url = fresh_url("sqlite")
    assert asked("db", "upgrade", "--yes", "--database", url)[0] == 0
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ecephys_units DROP COLUMN snr"))
    engine.dispose()
    code, _, told = asked("units", "--database", url)
    assert code == 1
    assert "snr" in one_line(told)


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from ecephys_dal.cli.program import run; run(['--help']);"
        f" print('loaded', [one for one in {HEAVY!r} if one in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own line
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout.endswith("loaded []\n")


def test_every_command_has_help_that_names_the_common_options(asked):
    _, all_of_it, _ = asked("--help")
    for name, place in COMMANDS.items():
        assert f"  {name} " in all_of_it
        code, shown, _ = asked(name, "--help")
        assert code == 0
        assert place.summary in shown
        assert "--database" in shown or "Commands:" in shown


def test_the_exit_codes_are_told(asked):
    _, shown, _ = asked("--help")
    for code in Exit:
        assert f"\n  {code.value:<4} " in EXIT_CODES
        assert f"\n    {code.value:<4} " in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ecephys-dal se", {"sessions"}),
        ("ecephys-dal download s", {"session", "scene"}),
        ("ecephys-dal probes --sess", {"--session-id", "--session-ids"}),
        ("ecephys-dal units --format p", {"parquet"}),
        (
            "ecephys-dal probes --without-rule session_n",
            {"session_not_habituation", "session_not_failed"},
        ),
    ],
)
def test_the_shell_completes_commands_and_options(words, offered):
    done = call(
        _ECEPHYS_DAL_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(words.count(" ")),
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == offered


def test_the_shell_is_told_that_a_database_may_be_a_file():
    done = call(
        _ECEPHYS_DAL_COMPLETE="bash_complete", COMP_WORDS="ecephys-dal --database x", COMP_CWORD="2"
    )
    assert done.stdout.startswith("file,")


def test_the_shell_gets_its_script():
    done = call(_ECEPHYS_DAL_COMPLETE="bash_source")
    assert (done.returncode, "complete -o nosort" in done.stdout) == (0, True)
