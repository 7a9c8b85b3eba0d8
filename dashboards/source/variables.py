"""The variables of boards. All of them ask the data source that is chosen on the board."""

from grafana_foundation_sdk.builders.dashboard import (
    CustomVariable,
    DatasourceVariable,
    QueryVariable,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

DATA_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


def data_source() -> DatasourceVariable:
    """The Prometheus to ask."""
    return DatasourceVariable("datasource").label("Data source").type("prometheus")


def several(name: str, label: str, query: str) -> QueryVariable:
    """A variable of which several values, or all, can be chosen; all is whatever there is, now or later."""
    return listed(name, label, query).all_value(".*")


def listed(name: str, label: str, query: str) -> QueryVariable:
    """A variable of which several values, or all that it lists, can be chosen."""
    return (
        values(name, label, query)
        .multi(True)
        .include_all(True)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def one(name: str, label: str, query: str) -> QueryVariable:
    """A variable of which one value is chosen; at first the first."""
    return values(name, label, query).multi(False).include_all(False)


def values(name: str, label: str, query: str) -> QueryVariable:
    """A variable whose values are those of a label, read anew when the time range changes."""
    return (
        QueryVariable(name)
        .label(label)
        .datasource(DATA_SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def of_tasks() -> list[QueryVariable]:
    """Provider, account and group; each offers what the ones before leave."""
    return [
        several("provider", "Provider", "label_values(cloud_tasks, provider)"),
        several("account", "Account", 'label_values(cloud_tasks{provider=~"$provider"}, account)'),
        several("group", "Group", 'label_values(cloud_tasks{provider=~"$provider",account=~"$account"}, group)'),
    ]


def of_exporters() -> list[QueryVariable]:
    """The scrape's own labels, then provider and account.

    All jobs are those of exporters: `up` and `process_…` are there for whatever else Prometheus scrapes, too.
    """
    polls = "cloud_task_exporter_polls_total"
    scraped = 'job=~"$job",instance=~"$instance"'
    return [
        listed("job", "Job", "label_values(cloud_task_exporter_build_info, job)"),
        several("instance", "Instance", 'label_values(cloud_task_exporter_build_info{job=~"$job"}, instance)'),
        several("provider", "Provider", f"label_values({polls}{{{scraped}}}, provider)"),
        several("account", "Account", f'label_values({polls}{{{scraped},provider=~"$provider"}}, account)'),
    ]


def task() -> QueryVariable:
    """The one task of the Task board; the metric stays for a task whose other series went."""
    chosen = 'provider=~"$provider",account=~"$account",group=~"$group"'
    return one("task_id", "Task", f"label_values(cloud_task_poll_success{{{chosen}}}, task_id)")


def objective() -> CustomVariable:
    """The part of runs that is to succeed."""
    choices = ["0.9", "0.95", "0.99", "0.995", "0.999"]
    chosen = "0.99"
    return (
        CustomVariable("objective")
        .label("Objective")
        .description("The part of runs that is to succeed, below 1")
        .values(",".join(choices))
        .options([VariableOption(selected=choice == chosen, text=choice, value=choice) for choice in choices])
        .current(VariableOption(selected=True, text=chosen, value=chosen))
    )
