"""The colours and thresholds of every board, each defined once: a phase has one colour wherever it is shown."""

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

GOOD = "green"
NOTICE = "orange"
BAD = "red"
NEUTRAL = "blue"
MUTED = "#8e8e8e"
# Seconds no time on a board reaches; the lowest threshold of what may be negative, or not there at all.
ENDLESS = 1e12

PHASES = {
    "pending": "yellow",
    "running": "blue",
    "paused": "purple",
    "succeeded": "green",
    "failed": "red",
    "cancelled": MUTED,
    "unknown": "dark-orange",
}
OUTCOMES = {outcome: PHASES[outcome] for outcome in ("succeeded", "failed", "cancelled")}
INSTANCE_STATES = {
    "submitted": "super-light-yellow",
    "pending": PHASES["pending"],
    "runnable": "dark-yellow",
    "starting": "light-blue",
    "running": PHASES["running"],
    "succeeded": PHASES["succeeded"],
    "failed": PHASES["failed"],
    "failed_interrupted": "dark-red",
    "unknown": PHASES["unknown"],
}
QUANTILES = {"p50": "light-blue", "p90": "blue", "p99": "dark-blue"}
SEVERITIES = {"critical": BAD, "warning": NOTICE, "info": NEUTRAL}

# The number a phase is shown as where one series has to say which it is.
PHASE_NUMBERS = {phase: number for number, phase in enumerate(PHASES, start=1)}


def steps(base: str, *above: tuple[float, str]) -> ThresholdsConfig:
    """A base colour, and the colour from each value on."""
    all_steps = [Threshold(value=None, color=base)] + [Threshold(value=value, color=color) for value, color in above]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(all_steps)


def none_is_good(notice: float | None = None, bad: float | None = None) -> ThresholdsConfig:
    """Green at first, then orange and red from the values given."""
    above = [(value, color) for value, color in ((notice, NOTICE), (bad, BAD)) if value is not None]
    return steps(GOOD, *above)


def left_over(comfortable: float) -> ThresholdsConfig:
    """Red below zero, green from a comfortable rest on."""
    return steps(BAD, (0, NOTICE), (comfortable, GOOD))


def failure_ratio() -> ThresholdsConfig:
    """What part of runs may fail before it is worth a look, and before it is bad."""
    return none_is_good(notice=0.01, bad=0.05)


def phase_number_mapping() -> ValueMap:
    """Shows the number of a phase as its word, in its colour."""
    return ValueMap(
        options={
            str(number): ValueMappingResult(text=phase, color=PHASES[phase], index=number - 1)
            for phase, number in PHASE_NUMBERS.items()
        }
    )


def word_mapping(colors: dict[str, str]) -> ValueMap:
    """Colours words in the cells of a table."""
    return ValueMap(
        options={
            word: ValueMappingResult(color=color, index=index) for index, (word, color) in enumerate(colors.items())
        }
    )


def fixed(color: str) -> list[DynamicConfigValue]:
    """The override that gives one series its colour."""
    return [DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})]


def property_of(name: str, value: object) -> DynamicConfigValue:
    """One property of an override."""
    return DynamicConfigValue(id_val=name, value=value)


def dashes(lengths: list[int]) -> DynamicConfigValue:
    """The property that dashes a line: how long its strokes and its gaps are."""
    return property_of("custom.lineStyle", {"fill": "dash", "dash": lengths})
