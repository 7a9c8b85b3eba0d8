"""Links from a series or a row of a table to the board that shows more of it, with its labels and the time range."""

TIME = "${__url_time_range}"
DATA_SOURCE = "${datasource:queryparam}"
RUNBOOKS = "https://github.com/cloud-task-exporter/cloud-task-exporter/blob/main/docs/runbooks.md"


def link(title: str, url: str) -> dict[str, object]:
    """A data link as Grafana keeps it."""
    return {"title": title, "url": url, "targetBlank": False}


def of_row(label: str) -> str:
    """The value of a label in the row of a table."""
    return f"${{__data.fields.{label}}}"


def of_series(label: str) -> str:
    """The value of a label of a series."""
    return f"${{__field.labels.{label}}}"


def board(uid: str, **labels: str) -> str:
    """The address of a board, with a value for each of the variables named."""
    variables = "".join(f"&var-{name}={value}" for name, value in labels.items())
    return f"/d/{uid}?{DATA_SOURCE}{variables}&{TIME}"


def task_of_row() -> dict[str, object]:
    """From a row to its task."""
    names = ("provider", "account", "group", "task_id")
    return link("Show the task", board("cloud-task-task", **{name: of_row(name) for name in names}))


def group_of_row() -> dict[str, object]:
    """From a row to its group."""
    names = ("provider", "account", "group")
    return link("Show the group", board("cloud-task-group", **{name: of_row(name) for name in names}))


def group_of_series() -> dict[str, object]:
    """From a series by group to that group, in the providers and accounts chosen."""
    url = f"/d/cloud-task-group?{DATA_SOURCE}&${{provider:queryparam}}&${{account:queryparam}}"
    return link("Show the group", f"{url}&var-group={of_series('group')}&{TIME}")


def account_of_row() -> dict[str, object]:
    """From a row to what the exporter does for its account."""
    names = ("provider", "account")
    return link("Show how it is polled", board("cloud-task-exporter", **{name: of_row(name) for name in names}))


def exporter() -> dict[str, object]:
    """To the board about the exporter."""
    url = f"/d/cloud-task-exporter?{DATA_SOURCE}&${{provider:queryparam}}&${{account:queryparam}}&{TIME}"
    return link("Show how the accounts are polled", url)


def runbooks() -> dict[str, object]:
    """To what to do about an alert."""
    return {"title": "Open the runbooks", "url": RUNBOOKS, "targetBlank": True}
