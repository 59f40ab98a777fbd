"""The web page: forms and tables made on the server, on top of the HTTP interface."""

from citytune.serving.web._app import add_pages

__all__ = ["add_pages"]
