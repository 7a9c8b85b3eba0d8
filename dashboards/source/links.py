"""Links from a series or a row of a table to the board that shows more of it, with its labels and the time range."""

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import DashboardLink

TIME = "${__url_time_range}"
DATA_SOURCE = "${datasource:queryparam}"
RUNBOOKS = "https://github.com/cloud-task-exporter/cloud-task-exporter/blob/main/docs/runbooks.md"


class DataLink(DashboardLink, Builder[DashboardLink]):
    """A data link as Grafana keeps it; the SDK has dashboard links only, which have more fields."""

    def __init__(self, title: str, url: str, new_tab: bool = False) -> None:
        super().__init__(title=title, url=url, target_blank=new_tab)

    def build(self) -> DashboardLink:
        """Itself: there is nothing left to build."""
        return self

    def to_json(self) -> dict[str, object]:
        """The fields Grafana reads."""
        return {"title": self.title, "url": self.url, "targetBlank": self.target_blank}


def board(uid: str, **labels: str) -> str:
    """The address of a board, with a value for each of the variables named."""
    variables = "".join(f"&var-{name}={value}" for name, value in labels.items())
    return f"/d/{uid}?{DATA_SOURCE}{variables}&{TIME}"


def of_row(title: str, uid: str, *names: str) -> DataLink:
    """From a row of a table to a board, with values of labels that are in the row."""
    return DataLink(title, board(uid, **{name: f"${{__data.fields.{name}}}" for name in names}))


def task_of_row() -> DataLink:
    """From a row to its task."""
    return of_row("Show the task", "cloud-task-task", "provider", "account", "group", "task_id")


def group_of_row() -> DataLink:
    """From a row to its group."""
    return of_row("Show the group", "cloud-task-group", "provider", "account", "group")


def account_of_row() -> DataLink:
    """From a row to what the exporter does for its account."""
    return of_row("Show how it is polled", "cloud-task-exporter", "provider", "account")


def group_of_series() -> DataLink:
    """From a series by group to that group, in the providers and accounts chosen."""
    chosen = "${provider:queryparam}&${account:queryparam}"
    url = f"/d/cloud-task-group?{DATA_SOURCE}&{chosen}&var-group=${{__field.labels.group}}&{TIME}"
    return DataLink("Show the group", url)


def runbooks() -> DataLink:
    """To what to do about an alert."""
    return DataLink("Open the runbooks", RUNBOOKS, new_tab=True)
