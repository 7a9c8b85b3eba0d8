"""What this folder knows of Grafana's variables, held against the examples of Grafana's documentation and its results."""

import pytest
from templating import Raw, Several, Single, UnknownVariable, choose, interpolate, narrow, split_options

VALUES = {"one": Single("job-1/A"), "many": Several(("a.b", "c")), "all": Raw(".*"), "__interval": Raw("5s")}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('x{a="$one"}', 'x{a="job-1/A"}'),
        ('x{a=~"$many"}', r'x{a=~"(a\\.b|c)"}'),
        ('x{a=~"${many:regex}"}', r'x{a=~"(a\.b|c)"}'),
        ('x{a=~"${many:pipe}"}', 'x{a=~"a.b|c"}'),
        ('x{a=~"$all"}', 'x{a=~".*"}'),
        ("rate(x[${__interval}])", "rate(x[5s])"),
        ('label_replace(x, "a", "$1", "b", "(.+)$")', 'label_replace(x, "a", "$1", "b", "(.+)$")'),
    ],
)
def test_values_are_written_as_grafana_writes_them(text, written):
    assert interpolate(text, VALUES) == written


@pytest.mark.parametrize("text", ["$nobody", "${many:upside_down}", "rate(x[$__intervall])"])
def test_what_does_not_exist_is_told(text):
    with pytest.raises(UnknownVariable):
        interpolate(text, VALUES)


def test_what_is_chosen():
    assert choose({"multi": True, "includeAll": True, "allValue": ".*"}, ["a"]) == Raw(".*")
    assert choose({"multi": True, "includeAll": True}, ["a", "b"]) == Several(("a", "b"))
    assert choose({}, ["a", "b"]) == Single("a")
    assert choose({"current": {"value": "b"}}, ["a", "b"]) == Single("b")
    assert choose({}, ["a", "b"], "b") == Single("b")


def test_what_is_offered():
    assert split_options(r"1,two : 2,3\,5") == ["1", "2", "3,5"]
    assert narrow(["x{a=\"1\"} 5", "x{a=\"2\"} 5", "y"], '/a="(.)"/') == ["1", "2"]
