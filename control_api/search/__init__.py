"""Search over titles, channels and people, with one typo forgiven (control-api CTL-143, CTL-144).

words     text -> folded words, and the distance between two
index     entries and the vocabulary, kept in the transaction of the change itself
engines   FTS5 with trigrams, tsvector with pg_trgm: which entries have the words
ranking   which of them come first, and facets over them
"""
