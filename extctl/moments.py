"""Moments on the command line: RFC 3339, with the offset that says which moment it is."""

from datetime import datetime

import typer


def parse_moment(text: str) -> datetime:
    """Reads a moment such as 2027-12-31T00:00:00Z."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("that is no moment such as 2027-12-31T00:00:00Z") from None
    if moment.tzinfo is None:
        raise typer.BadParameter("a moment says its offset, as 2027-12-31T00:00:00Z does")
    return moment
