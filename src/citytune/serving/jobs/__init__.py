"""Jobs: what is to be done waits in the database, and workers do it in processes of their own."""

from citytune.serving.jobs._caretaker import look_after
from citytune.serving.jobs._facts import MOST_SENSORS
from citytune.serving.jobs._proposals import dismiss_proposal, propose, start_proposal
from citytune.serving.jobs._queue import cancel, enqueue, enqueue_by_itself
from citytune.serving.jobs._recent import day_of, recent_of
from citytune.serving.jobs._schedules import check_schedule, next_time
from citytune.serving.jobs._versions import delete_folders, path_of, promote, roll_back
from citytune.serving.jobs._watch import Finding, Seen, Watch, import_watches, register_watch
from citytune.serving.jobs._worker import database_of, work

__all__ = [
    "Finding",
    "MOST_SENSORS",
    "Seen",
    "Watch",
    "cancel",
    "check_schedule",
    "database_of",
    "day_of",
    "delete_folders",
    "dismiss_proposal",
    "enqueue",
    "enqueue_by_itself",
    "import_watches",
    "look_after",
    "next_time",
    "path_of",
    "promote",
    "propose",
    "recent_of",
    "register_watch",
    "roll_back",
    "start_proposal",
    "work",
]
