"""HTTP dates, RFC 9110 5.6.7: one way out (IMF-fixdate), three ways in."""

import calendar
import re
import time

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_DAY, _MONTH = "|".join(DAYS), "|".join(MONTHS)
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
FORMS = tuple(
    re.compile(form.encode())
    for form in (
        rf"(?:{_DAY}), (?P<day>[0-9]{{2}}) (?P<month>{_MONTH}) (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"(?:{'|'.join(LONG_DAYS)}), "
        rf"(?P<day>[0-9]{{2}})-(?P<month>{_MONTH})-(?P<year>[0-9]{{2}}) {_TIME} GMT",  # RFC 850
        rf"(?:{_DAY}) (?P<month>{_MONTH}) (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)


def format_date(epoch_s: int) -> bytes:
    """The IMF-fixdate of `epoch_s`, 29 octets, whatever the locale."""
    t = time.gmtime(epoch_s)
    return (
        f"{DAYS[t.tm_wday]}, {t.tm_mday:02d} {MONTHS[t.tm_mon - 1]} {t.tm_year:04d} "
        f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} GMT"
    ).encode()


def parse_date(value: bytes, now_s: int) -> int | None:
    """Epoch seconds of a date in any of the three forms (HT-84), None for anything else.

    A two-digit year more than 50 years ahead of `now_s` is in the past century.
    """
    match = next((m for form in FORMS if (m := form.fullmatch(value))), None)
    if match is None:
        return None
    year, day = int(match["year"]), int(match["day"])
    month = MONTHS.index(match["month"].decode()) + 1
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if len(match["year"]) == 2:
        this_year = time.gmtime(now_s).tm_year
        year += this_year - this_year % 100
        if year > this_year + 50:
            year -= 100
    if year < 1 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    return calendar.timegm((year, month, day, hour, minute, min(second, 59)))
