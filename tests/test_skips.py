"""The plugin that lets no test be skipped in silence, tried in sessions of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[str, str | None], pytest.RunResult]

SKIPPED = """
    import pytest

    @pytest.mark.skip(reason="not today")
    def test_it():
        pass
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a test module against a list of allowed skips, or none."""
    # Inner sessions import their plugins anew, and the installed ones take a second.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(source: str, allowed: str | None) -> pytest.RunResult:
        pytester.makeini("""
            [pytest]
            asyncio_mode = auto
            asyncio_default_fixture_loop_scope = function
        """)
        pytester.makepyfile(test_inner=source)
        if allowed is not None:
            pytester.mkdir("tests").joinpath("allowed_skips.txt").write_text(allowed)
        return pytester.runpytest_inprocess(
            "-p", "pytest_asyncio.plugin", "-p", "tests.plugins.skips"
        )

    return run


def test_listed_skip_passes(run: Run) -> None:
    """A skip that is listed with a reason stays a skip."""
    result = run(SKIPPED, "# a comment\n\ntest_inner.py::test_it  # it rains\n")
    result.assert_outcomes(skipped=1)
    assert result.ret == pytest.ExitCode.OK


def test_unlisted_skip_fails(run: Run) -> None:
    """A skip that is not listed fails the run, and says what to add where."""
    result = run(SKIPPED, "test_inner.py::test_other  # it rains\n")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["skipped (*not today), and tests/allowed_skips.txt *", "test_inner.py::test_it  # why"]
    )


@pytest.mark.parametrize("line", ["test_inner.py::test_it", "test_inner.py::test_it  #  "])
def test_listed_without_reason_stops(run: Run, line: str) -> None:
    """A line without a reason stops the run before the first test."""
    result = run(SKIPPED, line)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*allowed_skips.txt:1: test_inner.py::test_it is listed without*"])


def test_pattern(run: Run) -> None:
    """A star stands for any text, and brackets stand for themselves."""
    source = """
        import pytest

        @pytest.mark.parametrize("n", [1, 2])
        def test_it(n):
            pytest.skip("not today")
    """
    result = run(source, "test_inner.py::test_*[1]  # the first only\n")
    result.assert_outcomes(skipped=1, failed=1)


def test_missing_list_allows_nothing(run: Run) -> None:
    """Without the file every skip fails."""
    assert run(SKIPPED, None).ret == pytest.ExitCode.TESTS_FAILED


def test_xfail_and_xpass_fail(run: Run) -> None:
    """Expected failures and unexpected passes count like skips."""
    source = """
        import pytest

        @pytest.mark.xfail(reason="broken")
        def test_fails():
            assert False

        @pytest.mark.xfail(reason="broken")
        def test_passes():
            pass
    """
    result = run(source, "")
    result.assert_outcomes(failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_module_that_skips_itself_fails(run: Run) -> None:
    """A whole module that is skipped while it is collected is an error."""
    source = """
        import pytest

        pytest.importorskip("there_is_no_such_module")
    """
    result = run(source, "")
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("allowed", "outcome"), [("", "failed"), ("test_inner.py::test_it  # it rains", "skipped")]
)
def test_asynchronous_tests(run: Run, allowed: str, outcome: str) -> None:
    """The rule holds for coroutine tests as well."""
    source = """
        import asyncio
        import pytest

        async def test_it():
            await asyncio.sleep(0)
            pytest.skip("not today")

        async def test_other():
            await asyncio.sleep(0)
    """
    result = run(source, allowed)
    result.assert_outcomes(passed=1, **{outcome: 1})


def test_fixture_that_skips_fails(run: Run) -> None:
    """A fixture that skips is an error of its test."""
    source = """
        import pytest

        @pytest.fixture
        async def browser():
            pytest.skip("no browser")

        def test_it(browser):
            pass
    """
    result = run(source, "")
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
