"""Chooses what a board shows that shows one task: the one with the most to see. Asks, and does not judge."""

from grafana import View, has_data

CANDIDATES = 10


def busiest(prometheus, start, end):
    """The tasks of which most is to be told, the most first: changes of instances' states, times exit codes.

    Those that several accounts poll are left out: a board shows them once for each.
    """
    span = f"{round(end - start)}s"
    changes = f"sum by (task_id) (changes(cloud_task_instances[{span}]))"
    codes = "count by (task_id) (cloud_task_instance_exits > 0)"
    shared = f"count by (task_id) (last_over_time(cloud_task_poll_success[{span}])) > 1"
    told = f"({changes} * on (task_id) {codes}) unless on (task_id) ({shared})"
    result = prometheus.query(f"sort_desc(topk({CANDIDATES}, {told}))", end)["result"]
    return [one["metric"]["task_id"] for one in result]


def filled(view):
    """How many panels have data."""
    return sum(any(map(has_data, queries.values())) for queries in view.panels().values())


def show(board, prometheus, start, end):
    """The board; where it shows one task, the busiest of those that fill the most panels."""
    single = board.single()
    if single is None:
        return View(board, prometheus, start, end)
    tasks = busiest(prometheus, start, end)
    return max((View(board, prometheus, start, end, {single["name"]: task}) for task in tasks), key=filled)
