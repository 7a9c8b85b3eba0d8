"""How Grafana puts the values of variables into a query for Prometheus, and what a variable offers.

Written after Grafana's documentation of variable syntax and of its Prometheus data source. Asks nothing itself.
"""

import re
from dataclasses import dataclass

ALL = "$__all"
VARIABLE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<braced>\w+)(?::(?P<format>\w+))?\})")


class UnknownVariable(Exception):
    """A text names a variable, a macro or a format that does not exist."""


@dataclass(frozen=True)
class Raw:
    """Put in as it is: a macro, or the custom value of All."""

    text: str


@dataclass(frozen=True)
class Single:
    """The value of a variable that has one at a time."""

    text: str


@dataclass(frozen=True)
class Several:
    """The values of a variable that may have many."""

    texts: tuple


def escape_for_prometheus(text):
    """A value within a regular expression within a PromQL string."""
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", text.replace("\\", "\\\\\\\\"))


def alternatives(texts):
    """A regular expression of several."""
    return texts[0] if len(texts) == 1 else f"({'|'.join(texts)})"


FORMATS = {
    "regex": lambda texts: alternatives([re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", text) for text in texts]),
    "pipe": "|".join,
    "csv": ",".join,
    "raw": ",".join,
}


def write(value, format_name):
    """A value as Grafana writes it into a query."""
    if isinstance(value, Raw):
        return value.text
    if format_name:
        return FORMATS[format_name]([value.text] if isinstance(value, Single) else list(value.texts))
    if isinstance(value, Single):
        return value.text.replace("\\", "\\\\").replace("'", "\\\\'")
    return alternatives([escape_for_prometheus(text) for text in value.texts])


def interpolate(text, values):
    """The text with the values of its variables. `$1` is no variable: label_replace() has it."""

    def replace(found):
        name, format_name = found["plain"] or found["braced"], found["format"]
        if name.isdigit():
            return found[0]
        if name not in values or (format_name and format_name not in FORMATS):
            raise UnknownVariable(f"{found[0]} in {text!r}; known are {', '.join(sorted(values))}")
        return write(values[name], format_name)

    return VARIABLE.sub(replace, text)


def query_of(variable):
    """The query of a variable, which is a text or a field of an object."""
    query = variable.get("query", "")
    return query.get("query", "") if isinstance(query, dict) else query


def split_options(text):
    r"""The values of a custom or an interval variable: `1,2`, `one : 1,two : 2`; `\,` is a comma."""
    parts = [part.strip().replace("\\,", ",") for part in re.split(r"(?<!\\),", text) if part.strip()]
    return [part.split(" : ", 1)[-1] for part in parts]


def narrow(options, pattern):
    """What the regular expression of a variable leaves of its options, each once."""
    if not pattern:
        return options
    found = filter(None, (re.search(pattern.strip("/"), option) for option in options))
    picked = (one.groupdict().get("value") or (one[1] if one.re.groups else one[0]) for one in found)
    return list(dict.fromkeys(picked))


def choose(variable, options, wanted=None):
    """The value of a variable: what is wanted, or else All where it has that, or else the first of its options."""
    several = variable.get("multi") or variable.get("includeAll")
    if wanted is not None:
        return Several(tuple(wanted if isinstance(wanted, (list, tuple)) else [wanted])) if several else Single(wanted)
    if variable.get("includeAll"):
        return Raw(variable["allValue"]) if variable.get("allValue") else Several(tuple(options) or ("",))
    current = variable.get("current", {}).get("value")
    first = current if current in options else (options or [""])[0]
    return Several((first,)) if several else Single(first)
