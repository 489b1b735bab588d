"""The guide as viewers get it: made once for many, told live, kept for bad days.

kept       answers by question: fresh for a while, stale for a day
handlers   grid, now and next, a programme, the live feed
xmltv      the guide as a file
"""
