"""The HTTP interface."""

from citytune.serving.http._app import create_app
from citytune.serving.http._tokens import ROLES, Role, add_token, count_tokens
from citytune.serving.http._wire import run, settings

__all__ = ["ROLES", "Role", "add_token", "count_tokens", "create_app", "run", "settings"]
