import sys

from vidjax.installed_packages import is_installed


def test_packages_are_found_or_absent():
    assert is_installed("numpy")
    assert is_installed("os.path")
    assert not is_installed("there_is_no_such_package")
    assert not is_installed("there_is_no_such_package.inner")


def test_a_folder_of_that_name_is_not_the_package(tmp_path, monkeypatch):
    (tmp_path / "some_results").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert not is_installed("some_results")
    (tmp_path / "some_results" / "__init__.py").touch()
    assert is_installed("some_results")
