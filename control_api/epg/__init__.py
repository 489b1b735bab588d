"""The programme guide: XMLTV in, schedules in the database, grids out (control-api section 4).

feed, instants, episodes, xmltv   bytes -> rows of the file
normalise                         rows -> events without overlap, and a report
merge                             events and stored ones -> what to write
store, importer                   the database and the run
grid                              what viewers read
"""
