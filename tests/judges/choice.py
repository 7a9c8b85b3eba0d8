"""Chooses what a board shows that shows one task: the one with the most to see. Asks, and does not judge."""

from grafana import View, has_data

CANDIDATES = 10


def busiest(prometheus, start, end):
    """The tasks whose instances changed their states most often, the most first."""
    changes = f"sum by (task_id) (changes(cloud_task_instances[{round(end - start)}s]))"
    result = prometheus.query(f"sort_desc(topk({CANDIDATES}, {changes}))", end)["result"]
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
