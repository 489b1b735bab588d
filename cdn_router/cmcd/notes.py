"""Every note a reader can make on a record, in three sorts; each is a counter of the collector.

Tolerated: players are known to be wrong, and what they mean is clear. Ignored: the value is dropped
and the rest of the record stands (CTA-5004-B section 6 items 3 and 4, CM-30). Refused: no record.
"""

TOLERATED = {
    "member_skipped": "text that is no structured field between members that are",  # dash.js#3186
    "plus_space": "a query with + for space: `br=(5000;v+320;a)`",  # form encoders; 3.2
    "url_encoded": "a header or body line that is URL-encoded",  # 4.1: must not
    "quoted_token": 'a string where a token belongs: `ot="v"`',  # dash.js#3186
    "bare_string": "a token where a string belongs: `sid=abc`",
    "decimal": "a decimal where an integer belongs: `d=324.69`",
    "scalar": "a scalar where v2 has an inner list: `br=200,v=2`",
    "list": "an inner list where v1 has a scalar: `br=(200)` without `v`",
    "later_key": "a key of v2 in a set without `v`",
    "earlier_key": "`nrr`, which v2 dropped, beside `v=2`",
    "custom_type": "a custom value that is no string and no token",  # 4.1 item 5
    "off_grid": "a value that should be a multiple of 100",  # CM-24
    "listed_only": "a word that the standard lists and never defines: `sta=w`",
    "trailing_lf": "a line feed after a single record",  # 3.3: must not
}
IGNORED = {
    "unknown_key": "not in the standard and not custom",
    "wrong_type": "another type than the key has",
    "wrong_word": "a token that the key does not know",
    "too_long": "more characters or elements than the key may have",
    "range": "a negative number",
    "wrong_mode": "a key of event mode in request mode",
    "version": "a set of a later version than we know",  # 6 item 13, CM-3
}
REFUSED = {
    "malformed": "no structured field and no member that is one",
    "too_large": "more than a record may have",
    "encoding": "not UTF-8",
}
