"""Lists what recurring_ical_events finds in a calendar, as an independent
expander: expand.py FILE ZONE FROM UNTIL [ZONE FROM UNTIL ...], times as
20261125T093000 in ZONE. A line an occurrence: which question, start, end (seconds
since 1970), whether of whole days, summary."""
import datetime
import sys

import icalendar
import pytz
import recurring_ical_events

# It compares days with the offset that the beginning of the span has, also after a
# change of the clocks: so a wider span is asked for, and what overlaps is told by
# the seconds.
around = datetime.timedelta(days=2)

with open(sys.argv[1], "rb") as f:
    calendar = icalendar.Calendar.from_ical(f.read())
questions = [sys.argv[i : i + 3] for i in range(2, len(sys.argv), 3)]
for number, (name, begin, end) in enumerate(questions):
    zone = pytz.timezone(name)

    def local(text):
        return zone.localize(datetime.datetime.strptime(text, "%Y%m%dT%H%M%S"))

    def seconds(value):
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime(value.year, value.month, value.day)
        if value.tzinfo is None:
            value = zone.localize(value)
        return int(value.timestamp())

    begin, end = local(begin), local(end)
    for event in recurring_ical_events.of(calendar).between(begin - around, end + around):
        if event.get("TRANSP") == "TRANSPARENT" or event.get("STATUS") == "CANCELLED":
            continue
        start, stop = event["DTSTART"].dt, event["DTEND"].dt
        first, last = seconds(start), seconds(stop)
        if not (first < end.timestamp() and (last > begin.timestamp() or first == last >= begin.timestamp())):
            continue
        days = not isinstance(start, datetime.datetime)
        summary = str(event.get("SUMMARY", ""))
        print(number, first, last, str(days).lower(), summary, sep="\t")
