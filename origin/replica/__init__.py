"""One live origin on several machines: the files of a channel are copied as they grow.

The machine that takes in a channel's media tells of every new index record through a Redis stream;
the others fetch the media from it over HTTP and write the same files. From there on all is as with
several workers of one machine (origin.live.shared), so bytes, ETags and playlists are the same.
"""
