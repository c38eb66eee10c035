"""Every page with commands or blocks of Python is typed by a test, or its reason is given."""

from tests.documentation.pages import named, pages
from tests.documentation.test_typed import NOT_TYPED, PAGES
from tests.documented import typed_in


def test_no_page_is_forgotten():
    whole = {file for file, heading in PAGES if heading is None}
    with_something = {named(page) for page in pages() if typed_in(named(page))}
    forgotten = []
    for file in sorted(with_something - whole - NOT_TYPED.keys()):
        sections = [heading for each, heading in PAGES if each == file]
        seen = [one for heading in sections for one in typed_in(file, heading)]
        forgotten += [one for one in typed_in(file) if one not in seen]
    assert forgotten == []
    assert not whole & NOT_TYPED.keys()


def test_pages_that_are_not_typed_have_something_to_type():
    assert all(typed_in(file) for file in NOT_TYPED)
